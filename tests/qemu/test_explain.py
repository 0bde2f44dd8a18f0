"""`explain` at the prompt: what it says, what then happens, and what it refuses."""

import re

from hwlib import guest


def said(outcome):
    return outcome.output[outcome.output.index("order "):].replace("\r", "")


def dma_blocks(boot):
    """Zone DMA at the prompt, blocks by order: the kernel's image lies there, too, and grows."""
    outcome = boot("two", "run=buddyinfo")
    row = re.search(r"Node 0, zone +DMA +((?:\d+ +)+)", outcome.output)
    blocks = [int(nr) for nr in row[1].split()]
    assert len(blocks) == 11 and blocks[10] >= 1
    return blocks


def test_a_failure_is_explained_before_it_happens(boot):
    fill = "; ".join(["alloc 10 gfp=GFP_DMA"] * dma_blocks(boot)[10])
    outcome = boot("two", f'run="{fill}; explain 0 10 GFP_DMA|GFP_KERNEL; alloc 10 gfp=GFP_DMA"')
    text = said(outcome)
    steps = re.findall(r"^([a-z_]+): ", text, re.MULTILINE)
    assert steps == ["hit", "fast", "wake_kswapd", "min", "reclaim", "drain", "after_drain",
                     "give_up", "launch"][: len(steps)]  # fmt: skip
    assert len(steps) >= 8
    # What is left in pieces may be more than the marks want: then it is the block that is missing.
    sums = re.findall(r"node  0 DMA +(\d+) - 1023 (<=|>) +(\d+) \+ 0: no: (too few|none so large)", text)
    assert len(sums) == 3 and sums[1] == sums[2]
    assert int(sums[0][2]) > int(sums[1][2])
    for free, relation, mark, why in sums:
        assert (int(free) - 1023 > int(mark)) == (relation == ">") == (why == "none so large")
    assert "=> it fails" in text
    assert f"free {sums[0][0]}, min {sums[1][2]}," in outcome.output
    assert "no memory: order 10" in outcome.output


def test_where_it_is_said_to_come_from_it_comes(boot):
    outcome = boot("asymmetric", 'run="explain 1 3; alloc 3 node=1; explain any 0; alloc"')
    assert outcome.code == guest.SUCCESS, outcome.reason
    places = re.findall(r"=> node (\d+) (\w+), at step (\w+)", outcome.output)
    taken = re.findall(r"order \d+, node (\d+), zone (\w+)", outcome.output)
    assert len(places) == len(taken) == 2
    assert [place[:2] for place in places] == taken


def test_an_entitled_request_gets_a_page_of_the_reserve(boot):
    ask = "GFP_DMA|__GFP_MEMALLOC"
    blocks = dma_blocks(boot)
    order = max(order for order in range(10) if blocks[order])  # of what the largest leave
    fill = f"alloc 10 gfp={ask}; " * blocks[10]
    outcome = boot("two", f'run="{fill}explain 0 {order} {ask}; alloc {order} gfp={ask}" '
                          "min_free_kbytes=262144")  # fmt: skip
    assert outcome.code == guest.SUCCESS, outcome.reason
    text = outcome.output
    end = text[text.index(f"order {order}: {1 << order} pages; "):]
    assert "entitled" in end
    assert re.search(r"no_marks: entitled: every page there is", end)
    assert re.search(r"=> node 0 DMA, at step no_marks; a page of the reserve, marked", end)
    assert re.search(r"node 0, zone DMA, of the reserve", end)


def test_bad_words_are_named(boot):
    outcome = boot("two", 'run="explain; explain 9 0; explain 0 11; explain 0 0 foo; '
                          'explain 0 0 GFP_ATOMIC|__GFP_NOFAIL; explain 0 0 GFP_KERNEL x"')
    for line in ("usage: explain", "there is no node '9'", "'11' is no order",
                 "'foo' is no gfp flag", "refused: __GFP_NOFAIL without __GFP_DIRECT_RECLAIM"):
        assert line in outcome.output, line
    assert outcome.code == guest.FAILURE


def test_rules_that_make_requests_fail_are_left_out_and_named(boot):
    outcome = boot("two", 'run="fault set probability=100; explain any 0; alloc; fault; fault off; '
                          'explain any 0"')  # fmt: skip
    assert outcome.output.count("but for the rules that make requests fail") == 1
    assert outcome.output.count("=> node 0") == 2
    assert "no memory: order 0" in outcome.output
    assert "rule 1: probability=100: 1 requests seen, 1 failed" in outcome.output
