#include "base/check.h"
#include "model/conv_vit_encoder.h"
#include "model/encoder.h"
#include "model/vit_encoder.h"

namespace mimeo {

ImageShape ImageShapeOf(const DataSpec& data) { return {data.channels(), data.image_px(), data.image_width_px()}; }

std::unique_ptr<Encoder> MakeEncoder(const EncoderSpec& spec, const ImageShape& image, Parameters* parameters) {
  switch (spec.kind_case()) {
    case EncoderSpec::kVit:
      return std::make_unique<VitEncoder>(spec.vit(), image, parameters);
    case EncoderSpec::kConvVit:
      return std::make_unique<ConvVitEncoder>(spec.conv_vit(), image, parameters);
    case EncoderSpec::KIND_NOT_SET:
      break;
  }
  MIMEO_CHECK(false, "a resolved spec names its encoder");
  return nullptr;
}

}  // namespace mimeo
