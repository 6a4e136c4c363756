from __future__ import annotations

from seglift.report.study_plot import study_plot


def test_policies_stand_in_the_order_of_the_recipe_and_their_names_have_room(drawn):
    names = ["worst", "best", *(f"fine_14_coarse2fine_184_without_mixing_{n}" for n in range(9)), "not yet"]
    scores = {name: {0: 0.1 * n, 1: 0.1 * n + 0.02} for n, name in enumerate(names[:-1])} | {"not yet": {}}
    assert study_plot({"mIoU": scores, "boundary F": scores}).startswith(b"\x89PNG")
    drawn[0].draw_without_rendering()
    first, second = drawn[0].axes
    texts = first.get_yticklabels()
    assert [text.get_text() for text in texts] == names[:-1]
    low, high = first.get_ylim()
    assert low > high  # the first one is at the top
    assert min(text.get_window_extent().x0 for text in texts) >= 0
    widths = [axes.get_window_extent().width for axes in (first, second)]
    assert min(widths) > 3 * drawn[0].dpi
