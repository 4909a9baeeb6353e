// One term of the training loss, with the head that only it uses.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/encoder.h"
#include "model/mask_plan.h"
#include "model/parameters.h"
#include "proto/job.pb.h"

namespace mimeo {

struct ViewInput {              // what the batch pipeline prepares
  at::Tensor images_BCHW;       // normalised float32, on the device
  MaskPlan plan;
  std::map<std::string, at::Tensor> teacher_BKT;  // by teacher name; tokens at plan.visible_BK
};
struct ForwardPass {
  std::vector<ViewInput> views;
  std::vector<Encoding> encodings;  // one per view
};

struct Needs {
  int num_views = 1;
  std::vector<std::string> teachers;
};

// Stateless between calls but for parameters. One thread.
class Objective {
 public:
  virtual ~Objective() = default;
  virtual Needs needs() const = 0;
  virtual at::Tensor Compute(const ForwardPass& pass) const = 0;  // float32 scalar; `pass` meets needs()
};

// (B, M, P): the decoder's prediction of the hidden patches; `mimeo reconstruct` and the report draw it.
class PixelDecoder {
 public:
  virtual ~PixelDecoder() = default;
  virtual at::Tensor Predict(const Encoding& encoding, const MaskPlan& plan) const = 0;
};

class ObjectiveSum {
 public:
  // Adds each head's parameters under "objective.<name>.". `teacher_widths`: T by teacher name.
  // InvalidArgument: a mimic objective whose teacher is not in `teacher_widths`.
  static absl::StatusOr<std::unique_ptr<ObjectiveSum>> Create(const JobSpec& spec, const Encoder& encoder,
                                                              const std::map<std::string, int>& teacher_widths,
                                                              Parameters* parameters);
  Needs needs() const;  // the union
  struct Result {
    at::Tensor total;                         // sum of weight * term
    std::map<std::string, at::Tensor> terms;  // detached, by name, unweighted
  };
  Result Compute(const ForwardPass& pass) const;
  // The first reconstruction objective's decoder, or null.
  const PixelDecoder* pixel_decoder() const;
  bool normalizes_patches() const;  // of that objective
  ~ObjectiveSum();

 private:
  ObjectiveSum();
  struct Term;
  std::vector<std::unique_ptr<Term>> terms_;
};

}  // namespace mimeo
