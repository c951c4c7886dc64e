"""How re-identification networks are trained: two published recipes, readable.

SPAM (section 4.2) says no more than that its ResNet was trained on MOTSynth; TDT's teachers (section 4.1) were trained
on MSMT17. The numbers are from:

*   ``msmt17``: Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification" (CVPRW 2019),
    without its centre loss; the usual recipe for Market-1501 and MSMT17.
*   ``motsynth``: what the authors of MOTSynth (Fabbri et al., ICCV 2021) published for their ResNet-50 with 512
    numbers: AMSGrad at 9e-4, 19 epochs, a tenth from epoch 15, batches of 180, the head alone for 5 epochs, flips,
    softmax with label smoothing. Ours: 45 identities of four crops each in a batch, so that the triplet loss applies.

Ours in both: a little colour jitter, and a triplet loss of the same margin.
"""

from __future__ import annotations

from dataclasses import dataclass

from spam_model.appearance.resnet import ReidConfig


@dataclass(frozen=True)
class Augmentation:
    """What is done to crops in training.

    Attributes:
        flip: probability of a mirror image.
        padding: px of black around, after which a crop of the first size is cut at random.
        jitter: brightness, contrast and saturation are each multiplied by 1 ± at most this.
        erasing: probability that a rectangle is filled with ImageNet's mean colour (Zhong et al., AAAI 2020).
    """

    flip: float = 0.5
    padding: int = 10
    jitter: float = 0.2
    erasing: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """A way to train. Epochs are passes over the data; a shorter budget shrinks the whole schedule.

    Attributes:
        network: what is trained.
        epochs: passes over the data.
        identities: in a batch.
        images: of each identity in a batch.
        learning_rate: after the warm-up.
        warm_up: epochs in which the rate rises from a tenth.
        decay_at: epochs from which the rate is a tenth of what it was.
        head_only: epochs in which only the layers after the pooling learn; for training from given weights.
        weight_decay: added to the gradient, as in Adam.
        amsgrad: whether Adam keeps the largest second moment.
        label_smoothing: share of the label that all other identities get.
        margin: of the triplet loss.
        triplet_weight: of the triplet loss against the softmax.
        augmentation: of the crops.
    """

    network: ReidConfig
    epochs: int
    identities: int
    images: int
    learning_rate: float
    warm_up: int
    decay_at: tuple[int, ...]
    head_only: int
    weight_decay: float
    amsgrad: bool
    label_smoothing: float = 0.1
    margin: float = 0.3
    triplet_weight: float = 1.0
    augmentation: Augmentation = Augmentation()

    @property
    def batch(self) -> int:
        """Crops in a batch."""
        return self.identities * self.images

    def rate(self, done: float) -> float:
        """The learning rate after this share of the training."""
        epoch = done * self.epochs
        warmth = min(1.0, 0.1 + 0.9 * epoch / self.warm_up) if self.warm_up else 1.0
        return self.learning_rate * warmth * 0.1 ** sum(epoch >= end for end in self.decay_at)


RECIPES = {
    "msmt17": Recipe(
        network=ReidConfig("resnet50", neck=True),
        epochs=120,
        identities=16,
        images=4,
        learning_rate=3.5e-4,
        warm_up=10,
        decay_at=(40, 70),
        head_only=0,
        weight_decay=5e-4,
        amsgrad=False,
    ),
    "motsynth": Recipe(
        network=ReidConfig("resnet50", neck=False, reduction=512),
        epochs=19,
        identities=45,
        images=4,
        learning_rate=9e-4,
        warm_up=0,
        decay_at=(15,),
        head_only=5,
        weight_decay=5e-4,
        amsgrad=True,
        augmentation=Augmentation(padding=0, erasing=0.0),
    ),
}
