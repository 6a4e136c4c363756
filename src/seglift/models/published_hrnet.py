"""The HRNet-W48 networks with OCR head that NVIDIA released with Tao et al. (2020), without and with attention."""

from __future__ import annotations

from seglift.models.published_layout import PublishedLayout

ENCODER_RULES = (
    (r"^encoder\.stem\.0\.", "backbone.conv1."),
    (r"^encoder\.stem\.1\.", "backbone.bn1."),
    (r"^encoder\.stem\.3\.", "backbone.conv2."),
    (r"^encoder\.stem\.4\.", "backbone.bn2."),
    (r"^encoder\.stage1\.", "backbone.layer1."),
    (r"^encoder\.enter\.", "backbone.transition1.0."),
    (r"^encoder\.descend\.0\.", "backbone.transition1.1.0."),
    (r"^encoder\.descend\.1\.", "backbone.transition2.2.0."),
    (r"^encoder\.descend\.2\.", "backbone.transition3.3.0."),
    (r"^encoder\.stages\.0\.", "backbone.stage2."),
    (r"^encoder\.stages\.1\.", "backbone.stage3."),
    (r"^encoder\.stages\.2\.", "backbone.stage4."),
    (r"\.paths\.", ".fuse_layers."),
)
HEAD_RULES = (
    (r"^head\.project\.0\.", "ocr.conv3x3_ocr.0."),
    (r"^head\.project\.1\.", "ocr.conv3x3_ocr.1.0."),
    (r"^head\.guess\.0\.", "ocr.aux_head.0."),
    (r"^head\.guess\.1\.", "ocr.aux_head.1.0."),
    (r"^head\.guess\.3\.", "ocr.aux_head.2."),
    (r"^head\.fuse\.0\.", "ocr.ocr_distri_head.conv_bn_dropout.0."),
    (r"^head\.fuse\.1\.", "ocr.ocr_distri_head.conv_bn_dropout.1.0."),
    (r"^head\.classifier\.", "ocr.cls_head."),
    (r"^head\.attention\.", "ocr.ocr_distri_head.object_context_block."),
    (r"_block\.query\.", "_block.f_pixel."),
    (r"_block\.key\.", "_block.f_object."),
    (r"_block\.value\.", "_block.f_down."),
    (r"_block\.result\.", "_block.f_up."),
    (r"(_block\.f_\w+)\.1\.", r"\1.1.0."),
    (r"(_block\.f_\w+)\.3\.", r"\1.2."),
    (r"(_block\.f_\w+)\.4\.", r"\1.3.0."),
)
ATTENTION_RULES = (
    (r"^attention\.0\.", "scale_attn.conv0."),
    (r"^attention\.1\.", "scale_attn.bn0."),
    (r"^attention\.3\.", "scale_attn.conv1."),
    (r"^attention\.4\.", "scale_attn.bn1."),
    (r"^attention\.6\.", "scale_attn.conv2."),
    (r"^network\.", ""),
)
CLASSIFIER = "ocr.cls_head.weight"
LEFTOVERS = (r"criterion\..*",)

HRNET_LAYOUTS: dict[str, PublishedLayout] = {
    "HRNet": PublishedLayout(
        released="HRNet-W48 with OCR (Tao et al. 2020)",
        architecture="hrnet_w48_ocr",
        arguments={},
        rules=(*ENCODER_RULES, *HEAD_RULES),
        classifier=CLASSIFIER,
        leftovers=LEFTOVERS,
    ),
    "HRNet_Mscale": PublishedLayout(
        released="HRNet-W48 with OCR and multi-scale attention (Tao et al. 2020)",
        architecture="hrnet_w48_ocr_msa",
        arguments={},
        rules=(*ATTENTION_RULES, *ENCODER_RULES, *HEAD_RULES),
        classifier=CLASSIFIER,
        leftovers=LEFTOVERS,
    ),
}
