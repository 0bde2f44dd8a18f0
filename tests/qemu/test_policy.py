"""`mempolicy` and `cpuset`: what they say, whom they bind, and what is wrong with bad words."""

import re

import pytest

NODE = re.compile(r"^id \d+: .* node (\d+), zone", re.MULTILINE)


def run(launch, commands):
    """The commands' output, on the default machine."""
    return launch("--topology", "two", cmdline=f'run="{commands}"')


def nodes_of(text):
    return [int(nid) for nid in NODE.findall(text)]


@pytest.mark.parametrize("commands, nodes", [
    ("alloc; mempolicy bind:1; alloc; alloc 4; mempolicy local; alloc", [0, 1, 1, 0]),
    ("mempolicy preferred:1; alloc; alloc node=0", [1, 0]),
    ("mempolicy interleave:0-1; alloc; alloc; alloc; alloc", [0, 1, 0, 1]),
    ("cpuset 1; alloc; alloc node=0; alloc node=0 gfp=GFP_ATOMIC|__GFP_MEMALLOC; cpuset all; alloc",
     [1, 1, 0, 0]),
    # The cpuset is above the policy; what they have in common is left.
    ("cpuset 1; mempolicy bind:0-1; alloc; mempolicy bind:0; alloc", [1, 1]),
])
def test_who_gets_what(launch, commands, nodes):
    done = run(launch, f"{commands}; free all; check")
    assert done.returncode == 0
    assert nodes_of(done.stdout) == nodes


def test_threads_shows_limits(launch):
    text = run(launch, "threads; cpuset 1; mempolicy bind:0-1; cpuset 2 0; threads; cpuset; "
                       "mempolicy").stdout
    first, second = text.split("spare stacks\n")[:2]
    assert "[nodes" not in first
    assert re.search(r"^ +0 .* main .* \[nodes 1, bind:0-1\]$", second, re.MULTILINE)
    assert re.search(r"^ +2 .* \[nodes 0, local\]$", second, re.MULTILINE)
    assert "cpuset of this task: node 1, changed 1 time\n" in text
    assert "policy of this task: bind:0-1\n" in text


@pytest.mark.parametrize("command, said", [
    ("mempolicy bnd:1", "'mempolicy >bnd:1<'"),
    ("mempolicy bind", "'mempolicy >bind<'"),
    ("mempolicy bind:0,x", "'mempolicy bind:0,>x<'"),
    ("mempolicy bind:7", "there is no node 7"),
    ("mempolicy preferred:0-1", "one node is preferred"),
    ("mempolicy local more", "'mempolicy local >more<'"),
    ("cpuset 1-", "'cpuset >1-<'"),
    ("cpuset 9", "there is no node 9"),
    ("cpuset 99 0", "'cpuset >99< 0'"),
    ("cpuset x 0", "'cpuset >x< 0'"),
    ("cpuset 0 0 0", "'cpuset 0 0 >0<'"),
])
def test_bad_words_are_marked(launch, command, said):
    done = run(launch, f"{command}; cpuset; mempolicy")
    text = done.stdout
    assert done.returncode == 1
    assert said in text
    assert "nodes 0-1, changed 0 times" in text and "policy of this task: local" in text


def test_tests_run_without_limits_and_leave_them(launch):
    done = run(launch, "cpuset 1; mempolicy bind:0-1; test mempolicy,request; cpuset; mempolicy; "
                       "fault set nth=1; test gfp*")
    assert "fail:0" in done.stdout
    end = done.stdout[done.stdout.index("# Totals"):]
    assert "cpuset of this task: node 1," in end
    assert "policy of this task: bind:0-1" in end
    assert "requests are made to fail: `fault off` first" in end
