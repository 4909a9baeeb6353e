// One term of the training loss, with the head that only it uses.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
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

// One encoding's worth of input: a view of each image under one mask.
struct ViewInput {
  at::Tensor images_BCHW;       // normalised float32, on the device
  MaskPlan plan;
  int view = 0;                 // which crop; inputs of one view differ in their masks only (complementary groups)
  // By the name of the objective that mimics them: tokens at plan.visible_BK, after the class token's where it asked for that
  // too, (B, K or 1 + K, T). Objectives that want the same share a tensor.
  std::map<std::string, at::Tensor> teacher_BKT;
  at::Tensor drop_path_BR;      // as EncodeOptions; undefined: nothing is dropped
};
struct ForwardPass {
  std::vector<ViewInput> views;
  std::vector<Encoding> encodings;  // one per element of views
  at::Tensor shared_BCHW;           // the evaluation crops, normalised; defined where needs().shared_target
  double progress = 0;              // of training, in [0, 1]: weights may follow it
  // The other ranks do not compute such a pass now, or not with as many rows (evaluation): nothing is gathered from them.
  bool alone = false;
};

struct Needs {
  bool shared_target = false;
  std::vector<int> blocks;  // of the encoder, as EncodeOptions
};

struct LossTerm {
  at::Tensor value;                         // float32 scalar, the mean over this rank's rows
  std::map<std::string, at::Tensor> stats;  // detached scalars to watch, on the device: the same names on each call
};

// Stateless between calls but for parameters. One thread.
class Objective {
 public:
  virtual ~Objective() = default;
  virtual Needs needs() const = 0;
  virtual LossTerm Compute(const ForwardPass& pass) const = 0;  // `pass` meets needs()
};

// All ranks' rows, (B, X) -> (W * B, X), this rank's at [rank * B, (rank + 1) * B). Its backward pass sums each row's gradient over
// the ranks and keeps this rank's own rows: with the mean over ranks that follows, the gradient is one rank's on the
// concatenated rows. Every rank calls it, in the same order.
struct RowGatherer {
  int rank = 0;
  int size = 1;
  std::function<at::Tensor(const at::Tensor& rows_BX)> gather = [](const at::Tensor& rows_BX) { return rows_BX; };
};

// (B, M, P): the decoder's prediction of the hidden patches; `mimeo reconstruct` and the report draw it.
class PixelDecoder {
 public:
  virtual ~PixelDecoder() = default;
  virtual at::Tensor Predict(const Encoding& encoding, const MaskPlan& plan) const = 0;
};

class ObjectiveSum {
 public:
  // What objectives are made of beside their own spec.
  struct Context {
    std::map<std::string, int> teacher_widths;  // T by the name of the objective that mimics
    RowGatherer rows;
  };
  // Adds each head's parameters under "objective.<name>.". InvalidArgument: a mimic objective that is not in `teacher_widths`;
  // no objective that reads the encoder's output, so that its last layers would have no gradient.
  static absl::StatusOr<std::unique_ptr<ObjectiveSum>> Create(const JobSpec& spec, const Encoder& encoder, const Context& context,
                                                              Parameters* parameters);
  Needs needs() const;  // the union
  struct Result {
    at::Tensor total;                         // sum of weight * term
    std::map<std::string, at::Tensor> terms;  // detached, by name, unweighted
    std::map<std::string, at::Tensor> stats;  // "<objective>/<stat>"
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

// Encodes every view as the objectives need it; fills `encodings`.
void EncodeViews(const Encoder& encoder, const ObjectiveSum& objectives, ForwardPass* pass);

// `weight` at `progress` in [0, 1] of training; without a schedule, itself.
double WeightAt(const ObjectiveSpec& objective, double progress);

}  // namespace mimeo
