#include "objective/linear_decoder.h"

#include "base/check.h"

namespace mimeo {

LinearPixelDecoder::LinearPixelDecoder(const Encoder& encoder, const std::string& prefix, Parameters* parameters)
    : predict_(prefix + "pred", encoder.width(),
               int64_t{encoder.image().channels} * encoder.grid().patch_px * encoder.grid().patch_px, parameters) {
  MIMEO_CHECK(encoder.has_mask_token(),
              "a linear decoder reads tokens of hidden patches, which this encoder does not make");
}

at::Tensor LinearPixelDecoder::Predict(const Encoding& encoding, const MaskPlan& plan) const {
  return predict_(encoding.hidden_BMD);
}

}  // namespace mimeo
