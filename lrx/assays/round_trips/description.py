"""Description of the assay `round_trips`."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Round trips",
    question="How do codes and images change when they are decoded and encoded again and again?",
    position=100,
    scores={
        "first_drift": "Distance of codes from where they began, after one trip, over their spread; 0 is perfect.",
        "last_drift": "Distance of codes from where they began, after the last trip, over their spread.",
        "remaining_step": "Step of the last trip over that of the first: 0 where the loop has settled, 1 where codes "
        "drift on.",
        "first_psnr": "Peak signal-to-noise ratio of the image decoded once, in dB; higher is better.",
        "last_psnr": "Peak signal-to-noise ratio of the image after the last trip, in dB.",
        "first_error": "Squared error of the vector decoded once, over the variance of vectors; 0 is perfect.",
        "last_error": "Squared error of the vector after the last trip, over the variance of vectors.",
        "outside": "Share of pixels that decode outside [0, 1] at the first trip.",
    },
    main_scores=("first_drift", "last_drift", "remaining_step"),
    higher=("first_psnr", "last_psnr"),
    lower=("first_drift", "last_drift", "remaining_step", "first_error", "last_error"),
    pictures={
        "round_trips": Picture(
            "Images after each trip, curves of drift, step and image quality over trips, and drift of each channel.",
            "Good: drift that stays low and steps that fall to 0; bad: drift that grows with each trip.",
        ),
    },
    shards=True,
)
