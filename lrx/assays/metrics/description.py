"""What the assay `metrics` asks, and what its scores and pictures mean."""

from __future__ import annotations

from lrx.assays.description import Description, Picture

DESCRIPTION = Description(
    title="Disentanglement metrics",
    question="What do the established metrics say, which look at codes and factors but not at responses?",
    position=110,
    scores={
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
    main_scores=("mig", "dci_disentanglement", "factorvae"),
    pictures={
        "metrics": Picture(
            "Dots with error bars for each metric, and heat maps of latents by factors.",
            "Good: dots to the right, and one bright cell in each column; bad: dots at chance, or columns evenly lit.",
        ),
    },
    needs="classes",
    in_paper=True,
)
