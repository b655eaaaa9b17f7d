"""Description of the assay `contraction`."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Contraction",
    question="Which noise on codes is taken away when they are decoded and encoded, and which is kept?",
    position=110,
    scores={
        "gain_on_{}": "Gain of noise that is on the codes, which one pass kept, at the {} level: 1 where it is kept.",
        "gain_off_{}": "Gain of noise that is off the codes, which one pass took away, at the {} level: 0 where it is "
        "gone for good.",
        "gain_{}": "Change of the response over the noise on the code, at the {} level: 1 keeps it, 0 takes it away.",
        "pull_{}": "Distance from a noisy code to its response over the noise, at the {} level: 0 where nothing moves.",
        "to_code_{}": "Distance of the response from the code without noise, over the noise, at the {} level: 0 where "
        "the code is restored.",
    },
    words={"smallest": "smallest", "largest": "largest"},
    main_scores=("gain_smallest", "gain_off_smallest", "to_code_largest"),
    lower=("gain_off_{}", "to_code_{}"),
    pictures={
        "contraction": Picture(
            "Curves of gain, pull and distance to the code over the level of noise, of gain on and off the codes, and "
            "the gain of each channel.",
            "Good: gain off the codes near 0, gain on them near 1; bad: noise off the codes that is kept.",
        ),
    },
    shards=True,
    codes=Codes(continuous="adds noise of any size to codes"),
)
