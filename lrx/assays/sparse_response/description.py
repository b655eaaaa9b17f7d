"""Description of the assay `sparse_response`: its question, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Responses of a sparse code",
    question="When a feature of a sparse code is set, is it read as it was set, and which others go on or off?",
    position=25,
    scores={
        "mean_gain": "Change of a feature's own response over the change that was set, mean over features; 1 is best.",
        "mean_obeyed": "Share of draws in which a feature follows, mean over features.",
        "mean_selectivity": "Share of the squared change of all responses that is the feature's own, mean; 1 is best.",
        "mean_switched_on": "Other features that go on when a feature is set, mean over features.",
        "mean_switched_off": "Other features that go off when a feature is set, mean over features.",
        "num_active": "Features that are active on a vector, mean over vectors (L0).",
        "explained": "Share of the variance of vectors that decode(encode(x)) explains; 1 is best.",
        "num_measured": "Features with draws.",
        "num_never_active": "Features that are active on none of the vectors.",
        "num_hidden_overlap": "Features with hidden overlap, which may be a sign of absorption.",
    },
    main_scores=("mean_gain", "mean_selectivity"),
    higher=("mean_obeyed", "mean_selectivity", "explained"),
    headline=True,
    pictures={
        "sparse_response": Picture(
            "Three histograms over features: gain, share of draws that are obeyed, selectivity.",
            "Good: all at 1; bad: gain near 0, where a feature is not read as it is set, or selectivity near 0, where "
            "others move instead.",
        ),
    },
    codes=Codes(sparse=True),
    shards=True,
)
