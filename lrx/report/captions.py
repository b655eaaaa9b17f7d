"""How to read each picture: a sentence that says what is good and what is bad, by the name of its file."""

CAPTIONS = {
    "training_curves": "Good: losses that fall and have come to rest; bad: still falling at the end, or leaping.",
    "reconstruction": (
        "Good: each lower image is its upper one again, with few coloured bars; bad: blur, or what changed."
    ),
    "response_matrix": (
        "Good: a bright diagonal with darkness beside it; bad: bright cells off it, where latents entangle."
    ),
    "conditioned_response": (
        "Good: one bright cell in each row, in a column of its own; bad: a row without one, or several in a column."
    ),
    "latent_graph": (
        "Few arrows are good: latents are free of each other; many or wide arrows are bad: setting one moves others."
    ),
    "traversal": (
        "Good: one thing changes along a row and its curve follows the dashed line; bad: several change, or none."
    ),
    "response_map": (
        "Good: blue all over, where responses contract, and codes where it is dark; bad: red ridges among the codes."
    ),
    "response_map_pairs": (
        "Good: blue below the diagonal and dark above it; bad: red, where responses leave the manifold."
    ),
    "manifold": (
        "Good: prior and codes look alike in every panel; bad: prior points far from where codes lie, which are holes."
    ),
    "interpolation": (
        "Good: low |u|, even steps and factors kept on the way; bad: peaks of |u|, jumps, images unlike any."
    ),
    "generation": ("Good: small distances, large precision and recall, near the row of data; bad: rows far from it."),
    "factor_inference": (
        "Good: named latents reach the accuracy of all from few labels; bad: they do no better than random ones."
    ),
    "metrics": (
        "Good: dots to the right, and one bright cell in each column; bad: dots at chance, or columns evenly lit."
    ),
}
