"""`fault`: what is set is shown, fails what it says, is counted and traced; bad words are named."""

import re

from hwlib import guest

ASKED = ("fault; fault set nth=2; alloc; alloc; alloc; fault; vmstat; fault off;"
         "fault set site=command_a* order=3 times=1; alloc 2; alloc 3; alloc 3; fault show;"
         "fault off 2; fault; alloc; alloc; check")


def test_rules_fail_what_they_say(boot):
    outcome = boot("two", f'run="{ASKED}"')
    text = outcome.output
    assert text.count("no memory: order 0") == 1 and text.count("no memory: order 3") == 1
    assert len(re.findall(r"^id \d+: pfn", text, re.MULTILINE)) == 6
    assert "rule 1: nth=2: 0 requests seen, 0 failed\n" in text  # as it is set
    assert "rule 1: nth=2: 3 requests seen, 1 failed\n" in text
    assert "rule 2: site=command_a* order=3 times=1: 2 requests seen, 1 failed\n" in text
    assert text.count("no request is made to fail") == 2
    assert re.search(r"^hw_fault_injected 1$", text, re.MULTILINE)
    assert re.search(r"fault: rule 1 fails its request 2: order 0, GFP_KERNEL, by command_alloc\+0x",
                     text)
    assert "allocation failed" not in text
    assert re.search(r"^check: all \d+ invariants hold", text, re.MULTILINE)
    assert outcome.code == guest.FAILURE  # two commands got nothing


def test_it_is_traced(boot):
    outcome = boot("two", 'run="trace on; fault set order=3; alloc 3; trace off; trace dump 40"')
    assert re.search(r"fault_injected +rule 1 request 1 order 3 gfp GFP_KERNEL by command_alloc\+",
                     outcome.output)
    assert " page_alloc_failed " not in outcome.output


def test_bad_words_are_named(boot):
    bad = {
        "fault set": "which requests?",
        "fault sett": "'sett' is too much: usage: fault [show] | set KEY=VALUE... | off [ID]",
        "fault show 1": "'1' is too much",
        "fault off 7": "'7': there is no such rule",
        "fault set nth=1 nth=2": "'nth=2': nth= was given already",
        "fault set often=1": "'often=1': Tab shows what a rule may have",
        "fault set nth=0": "'0': allowed is 1 or more",
        "fault set order=11": "'11': allowed is 0..10",
        "fault set probability=101": "'101': allowed is 1..100 percent",
        "fault set site=0x2-0x1": "'0x2-0x1': allowed is a function's name or glob, or 0xADDRESS",
        "fault set task=9999": "there is no thread 9999",
    }
    outcome = boot("two", f'run="{"; ".join(bad)}; fault"')
    for message in bad.values():
        assert message in outcome.output, message
    assert "no request is made to fail" in outcome.output
