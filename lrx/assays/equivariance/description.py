"""Description of the assay `equivariance`."""

from __future__ import annotations

from lrx.assays.description import Codes, Description, Picture

DESCRIPTION = Description(
    title="Equivariance",
    question="Is the code of a shifted picture the shifted code?",
    position=120,
    scores={
        "error_whole": "Difference of the code of a shifted picture from the shifted code, at whole places, "
        "over the spread of codes; 0 is perfect.",
        "error_fraction": "The same at fractions of a place, with the code interpolated linearly; 0 is perfect.",
        "psnr_unshifted": "Peak signal-to-noise ratio of a picture decoded from its code, in dB; higher is better.",
        "psnr_loss": "Decibels that the picture loses when its code is shifted by whole places; 0 is perfect.",
    },
    main_scores=("error_whole", "error_fraction", "psnr_loss"),
    higher=("psnr_unshifted",),
    lower=("error_whole", "error_fraction", "psnr_loss"),
    pictures={
        "equivariance": Picture(
            "Curves over the shift in pixels, down and to the right: error of the shifted and of the interpolated "
            "code, the shift of the code that fits best, and quality of the decoded picture.",
            "Good: errors near 0 at whole places and a level quality; bad: errors near 1, where a shifted picture has "
            "another code.",
        ),
    },
    codes=Codes(places=True),
    shards=True,
)
