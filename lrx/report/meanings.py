"""What assays ask, what each of their scores means, and what their pictures show: a sentence each.

A name may have a `{}`, which stands for a part of it: `frechet_{}` is the name of `frechet_prior`, and its sentence has
the word for `prior` in that place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lrx.core.types import AssayResult


@dataclass(frozen=True)
class Meaning:
    """Of an assay: its title, what it asks, its scores, those that sum it up, and its pictures by their file's name."""

    title: str
    asks: str
    scores: Mapping[str, str] = field(default_factory=dict)
    main: tuple[str, ...] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)


# Parts of names of scores.
WORDS = {
    "data": "the images themselves, as a perfect generator would have it",
    "prior": "draws from the prior",
    "hybrid": "codes whose latents are shuffled among images, each on its own",
    "refined": "draws from the prior to which h was applied",
    "posterior": "codes of images",
    "posterior_sample": "draws from the posteriors of images",
    "straight": "straight ways",
    "response": "straight ways pulled onto the manifold by h",
    "graph": "ways over a graph of responses",
    "relaxed": "ways lowered along the gradient of their cost",
    "named": "the latents that the factor names",
    "all": "all latents",
    "random": "as many random latents",
}

# In the order in which a report shows them.
ASSAYS = {
    "reconstruction": Meaning(
        "Reconstruction",
        "How well are images reconstructed from their codes, and what do the codes cost?",
        {
            "squared_error": "Squared error of a reconstructed image, summed over its pixels; 0 is perfect.",
            "cross_entropy": "Cross-entropy of an image under its reconstruction, in nats; at least the entropy.",
            "entropy": "Cross-entropy of an image with itself, in nats: what no model can go below.",
            "kl": "What the posterior of an image spends on its code, in nats: its KL divergence from the prior.",
            "negative_elbo": "Cross-entropy plus KL of an image, in nats: the bound that a VAE lowers.",
            "active_units": "Latents whose codes vary between images; 0.01 is the usual least variance.",
        },
        ("squared_error", "kl", "active_units"),
        {"reconstruction": "A row of images, their reconstructions below, and bars of what each latent carries."},
    ),
    "response_matrix": Meaning(
        "Latent response matrix",
        "When one latent is set, decoded and encoded again, how far does each latent's response move?",
        {
            "num_informative": "Latents that answer to themselves: M_jj > 0.5 on the scale none.",
            "largest_se": "The largest standard error of an entry of the matrix.",
            "num_active": "Latents whose codes vary between images: variance above 0.01.",
        },
        ("num_informative", "num_active"),
        {"response_matrix": "A heat map: a row for each latent that is set, a column for each that answers."},
    ),
    "conditioned_response": Meaning(
        "Conditioned response matrix",
        "When one factor of the data changes, which latents answer?",
        {
            "cds": "Causal Disentanglement Score: how far each latent answers to one factor alone; 1 is best.",
            "cds_corrected": "The CDS where 0 is what equal answers to all factors would give; 1 is best.",
            "completeness": "How far the answers to each factor come from one latent alone; 1 is best.",
            "num_answering": "Latents that answer to some factor with more than 0.5.",
            "num_uncovered": "Factors to which no latent answers with more than the threshold; 0 is best.",
        },
        ("cds", "completeness", "num_uncovered"),
        {"conditioned_response": "A heat map: a row for each factor that changes, a column for each latent."},
    ),
    "latent_graph": Meaning(
        "Latent causal graph",
        "Which latents drag which others along, and how sure is that?",
        {
            "num_informative": "Latents that are nodes, as they answer to themselves: M_jj > 0.5 on the scale none.",
            "num_unidirectional": "Edges one way: setting the one latent moves the other, and not the reverse.",
            "num_bidirectional": "Pairs of latents that move each other.",
            "mean_stability": "Share of bootstrap replicates in which an edge is found again, mean over edges.",
        },
        ("num_unidirectional", "num_bidirectional"),
        {"latent_graph": "Informative latents on a circle, and arrows from each to those that it moves."},
    ),
    "traversal": Meaning(
        "Traversals",
        "What changes in an image when one latent walks through its values?",
        {
            "num_walked": "Latents that were walked along.",
            "num_informative": "Of those, latents that answer to themselves: M_jj > 0.5 on the scale none.",
            "mean_following": "How far a latent's response follows the value it is set to: 1 freely, 0 not at all.",
        },
        ("mean_following",),
        {"traversal": "A row of decoded images for each latent, its value rising from left to right."},
    ),
    "response_map": Meaning(
        "Response map",
        "Over a plane of two latents, where do responses contract towards the manifold, and where lie ridges?",
        {
            "num_pairs": "Pairs of latents that were mapped.",
            "first_latent": "The latent along x in the first map.",
            "second_latent": "The latent along y in the first map.",
            "mapped_latents": "Different latents in all maps.",
            "mapped_informative": "Of those, latents that answer to themselves: M_jj > 0.5 on the scale none.",
            "contracting": "Share of the map where the divergence is below 0: responses contract.",
            "divergence_median": "Median divergence over the map; -2 is a flat basin, 0 changes no area.",
            "divergence_least": "The strongest contraction on the map.",
            "divergence_error_median": "Median error of the divergence, as differences of twice the spacing tell.",
        },
        ("contracting", "divergence_median"),
        {
            "response_map": "Maps over two latents: divergence with flow lines, magnitude, curvature, images.",
            "response_map_pairs": "Small maps of all pairs of latents: divergence below the diagonal, magnitude above.",
        },
    ),
    "manifold": Meaning(
        "Manifold",
        "In all dimensions, how many directions survive decoding and encoding, and where has the prior holes?",
        {
            "mean_divergence_{}": "Mean divergence of the response at {}; minus the number of latents: all contracts.",
            "mean_magnitude_{}": "Mean distance that a point moves when decoded and encoded again, at {}.",
            "mean_participation_{}": "Effective number of directions that survive at {}; not defined where none does.",
            "mean_dimension_{}": "Directions that survive (singular value of the Jacobian above threshold) at {}.",
            "holes_by_divergence": "Share of the prior where responses do not contract: holes.",
            "holes_by_magnitude": "Share of the prior that moves further than nearly all codes of images do: holes.",
        },
        ("mean_dimension_posterior", "holes_by_magnitude"),
        {"manifold": "Spectra of the Jacobian, and histograms of divergence and magnitude, at prior points and codes."},
    ),
    "interpolation": Meaning(
        "Interpolation",
        "What lies on the way between the codes of two images, for each way to go?",
        {
            "mean_u_{}": "Mean distance from the manifold, |h(z) - z|, along {}; smaller is closer.",
            "jump_{}": "Largest over mean change of pixels between neighbours on {}; 1 is even.",
            "length_{}": "Length of {} in latent space.",
            "cost_{}": "Length plus the distance from the manifold along {}.",
            "kept_{}": "Share of points on {} where every factor that both ends share is unchanged; 1 is best.",
            "num_sharing": "Pairs of images that share a factor that the probe network reads.",
            "probe_accuracy": "Accuracy of the network that reads factors from images, on images it has not seen.",
        },
        ("kept_straight", "kept_graph"),
        {"interpolation": "Strips of decoded images between pairs of images, one for each way, with their scores."},
    ),
    "generation": Meaning(
        "Generation",
        "How close do decoded samples come to images that were held out, for each way to sample latents?",
        {
            "frechet_{}": "Fréchet distance from held-out images, of {}; 0 is best.",
            "kernel_{}": "Kernel distance (cubic MMD) from held-out images, of {}; 0 is best.",
            "precision_{}": "Share of samples that lie among held-out images, of {}; larger is better.",
            "recall_{}": "Share of held-out images that lie among samples, of {}; larger is better.",
            "mean_u_{}": "Mean distance of the latents from the manifold, |h(z) - z|, of {}.",
            "probe_accuracy": "Accuracy of the network whose features are compared, on images it has not seen.",
        },
        ("frechet_prior", "frechet_refined"),
        {"generation": "A row of samples for each way to sample latents, and a table of distances from images."},
    ),
    "factor_inference": Meaning(
        "Factor inference",
        "How well do few labels read a factor from the latents that its responses name?",
        {
            "accuracy_{}_{}": "Accuracy of reading factors from {}, learned from {} labels, mean over factors.",
            "num_named": "Latents that a factor names, mean over factors; 1 is most specific.",
        },
        ("accuracy_named_100", "accuracy_all_100"),
        {"factor_inference": "Accuracy over the number of labels: a panel a factor, a line a set of latents."},
    ),
    "metrics": Meaning(
        "Disentanglement metrics",
        "What do the established metrics say, which look at codes and factors but not at responses?",
        {
            "mig": "Mutual information gap: what the best latent knows of a factor beyond the second; 1 is best.",
            "sap": "How much better the best latent predicts a factor than the second does; larger is better.",
            "dci_disentanglement": "How far each latent serves to predict one factor alone; 1 is best.",
            "dci_completeness": "How far each factor is predicted from one latent alone; 1 is best.",
            "dci_informativeness": "Accuracy of predicting factors from all latents; 1 is best.",
            "factorvae": "Accuracy of telling which factor is fixed from the latent that varies least; 1 is best.",
            "factorvae_latents_kept": "Latents that vary enough to be counted by FactorVAE.",
            "betavae": "Accuracy of telling which factor pairs share from the differences of their codes; 1 is best.",
            "irs": "How little a latent moves when all factors but its own change; 1 is best.",
            "modularity": "How far each latent knows of one factor alone; 1 is best.",
            "modularity_latents_kept": "Latents that know of any factor, counted by modularity.",
            "explicitness": "How well factors are read linearly from all latents (AUC); 0.5 is chance, 1 best.",
            "gaussian_total_correlation": "Dependence between latents as if Gaussian, in nats; 0 is independent.",
            "wasserstein_correlation": "Dependence between latents as a Wasserstein distance, in squared latents.",
            "wasserstein_correlation_normalised": "The same over the latents' variance, to compare models.",
            "mutual_information_score": "Mean mutual information of pairs of latents, in nats; 0 is independent.",
        },
        ("mig", "dci_disentanglement", "factorvae"),
        {"metrics": "Dots with error bars for each metric, and heat maps of latents by factors."},
    ),
    "codes": Meaning(
        "Codes",
        "Where does the encoder place the same images in every model?",
        {"num_carrying": "Latents that carry something: a KL (or without a posterior a variance) above 0.01."},
    ),
}


def of_score(assay: str, score: str) -> str:
    """What a score of an assay means; empty for what this version of lrx does not know."""
    place, words = _found(assay, score)
    sentences = list(ASSAYS[assay].scores.values()) if assay in ASSAYS else []
    return sentences[place].format(*(WORDS.get(word, word) for word in words)) if place < len(sentences) else ""


def place_of(assay: str, score: str) -> tuple[int, ...]:
    """The place of a score among those of its assay, then of the parts of its name; behind what this version knows."""
    place, parts = _found(assay, score)
    known = list(WORDS)
    return place, *(
        known.index(part) if part in WORDS else len(known) + (int(part) if part.isdecimal() and len(part) < 10 else 0)
        for part in parts
    )


def is_error(score: str, result: AssayResult) -> bool:
    """Whether a score is the standard error of another one."""
    return score.endswith("_se") and score.removesuffix("_se") in result.scores


def _found(assay: str, score: str) -> tuple[int, tuple[str, ...]]:
    """The place of a score's name, and the parts of it that stand for `{}`."""
    names = list(ASSAYS[assay].scores) if assay in ASSAYS else []
    for place, name in enumerate(names):
        found = re.fullmatch(name.replace("{}", "(.+)"), score)
        if found:
            return place, found.groups()
    return len(names), ()
