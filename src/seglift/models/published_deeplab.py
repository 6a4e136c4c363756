"""The DeepLabV3+ networks that NVIDIA released with Zhu et al. (CVPR 2019).

They upsample with ``align_corners=True``, pool after the stem without padding where the trunk is SE-ResNeXt, and dilate
every block of the last two stages.
"""

from __future__ import annotations

from typing import Any

from seglift.models.published_layout import PublishedLayout

HEAD_RULES = (
    (r"^aspp\.pool\.project\.", "aspp.img_conv.0."),
    (r"^aspp\.pool\.norm\.", "aspp.img_conv.1."),
    (r"^aspp\.branches\.", "aspp.features."),
    (r"^project\.", "bot_aspp."),
    (r"^low_level\.", "bot_fine."),
    (r"^fuse\.", "final."),
    (r"^classifier\.", "final.6."),
)
RESNET_RULES = ((r"^encoder\.conv1\.", "layer0.0."), (r"^encoder\.bn1\.", "layer0.1."), (r"^encoder\.", ""))
SENET_RULES = ((r"^encoder\.", ""),)
WIDE_RESNET_RULES = (
    (r"^encoder\.stem\.", "mod1.conv1."),
    (r"^encoder\.stages\.", ""),
    (r"\.body\.", ".convs."),
    (r"\.shortcut\.", ".proj_conv."),
    (r"\.norm(\d)\.", r".bn\1."),
)
CLASSIFIER = "final.6.weight"
LEFTOVERS = (r"criterion\..*",)


def _layout(trunk: str, architecture: str, rules: tuple[tuple[str, str], ...], **arguments: Any) -> PublishedLayout:
    return PublishedLayout(
        released=f"DeepLabV3+ on {trunk} (Zhu et al. 2019)",
        architecture=architecture,
        arguments={**arguments, "align_corners": True},
        rules=(*HEAD_RULES, *rules),
        classifier=CLASSIFIER,
        leftovers=LEFTOVERS,
    )


DEEPLAB_LAYOUTS: dict[str, PublishedLayout] = {
    "DeepWV3Plus": _layout("WideResNet-38", "deeplabv3plus_wideresnet38", WIDE_RESNET_RULES),
    "DeepSRNX50V3PlusD_m1": _layout(
        "SE-ResNeXt-50", "deeplabv3plus", SENET_RULES, encoder="legacy_seresnext50_32x4d", output_stride=8
    ),
    "DeepR50V3PlusD_m1": _layout("ResNet-50", "deeplabv3plus", RESNET_RULES, encoder="resnet50", output_stride=8),
}
