"""The 80 classes of COCO in the order of the challenge, as detectors trained on it number them."""

from __future__ import annotations

from spam_model.errors import InputError

COCO_CLASSES = tuple(
    """person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,parking meter,
    bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,frisbee,skis,
    snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,wine glass,cup,
    fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,couch,
    potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,
    refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush""".replace("\n    ", "").split(",")
)


def coco_columns(class_names: tuple[str, ...]) -> list[int]:
    """Where these classes stand among COCO's.

    Raises:
        InputError: COCO has no such class.
    """
    unknown = [name for name in class_names if name not in COCO_CLASSES]
    if unknown:
        raise InputError(f"COCO has no class {', '.join(map(repr, unknown))}; it has {', '.join(COCO_CLASSES)}")
    return [COCO_CLASSES.index(name) for name in class_names]
