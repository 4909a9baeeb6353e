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
  at::Tensor images_BCHW;  // normalised float32, on the device
  MaskPlan plan;
  int view = 0;  // which crop; inputs of one view differ in their masks only (complementary groups)
  // By the name of the objective that mimics them: tokens at its MimickedPatches (objective/mimic.h), after the class
  // token's where it asked for that too, (B, N or 1 + N, T). Objectives that want the same share a tensor.
  std::map<std::string, at::Tensor> teacher_BNT;
  at::Tensor drop_path_BR;  // as EncodeOptions; undefined: nothing is dropped
};
struct ForwardPass {
  std::vector<ViewInput> views;
  std::vector<Encoding> encodings;  // one per element of views
  // By view: of the averaged encoder, which sees the whole view; for views of the encoder's own image size, where
  // needs().average_targets. Without gradient.
  std::map<int, Encoding> targets;
  at::Tensor shared_BCHW;  // the evaluation crops, normalised; defined where needs().shared_target
  double progress = 0;     // of training, in [0, 1]: weights may follow it
  // The other ranks do not compute such a pass now, or not with as many rows (evaluation): nothing is gathered from
  // them.
  bool alone = false;
};

// What a pass is given, for whoever moves or copies all of it; some may be undefined. The same order for passes of one
// job.
std::vector<at::Tensor*> InputTensors(ForwardPass* pass);

struct Needs {
  bool shared_target = false;
  bool average_targets = false;  // ForwardPass::targets
  std::vector<int> blocks = {};  // of the encoder, as EncodeOptions
};

// What a batch adds to a running mean: after the update, mean = momentum * mean + (1 - momentum) * value. The average
// over micro-batches where there are several; the same on all ranks.
struct BatchMean {
  at::Tensor value;  // detached
  double momentum = 0;
};

struct LossTerm {
  at::Tensor value;                             // float32 scalar, the mean over this rank's rows
  std::map<std::string, at::Tensor> stats;      // detached scalars to watch, on the device: the same names on each call
  std::map<std::string, BatchMean> means = {};  // by the name of the parameter of Context::averaged that keeps the mean
};

// Stateless between calls but for parameters. One thread.
class Objective {
 public:
  virtual ~Objective() = default;
  virtual Needs needs() const = 0;
  virtual LossTerm Compute(const ForwardPass& pass) const = 0;  // `pass` meets needs()
};

// All ranks' rows, (B, X) -> (W * B, X), this rank's at [rank * B, (rank + 1) * B). Its backward pass sums each row's
// gradient over the ranks and keeps this rank's own rows: with the mean over ranks that follows, the gradient is one
// rank's on the concatenated rows. Every rank calls it, in the same order.
struct RowGatherer {
  int rank = 0;
  int size = 1;
  std::function<at::Tensor(const at::Tensor& rows_BX)> gather = [](const at::Tensor& rows_BX) { return rows_BX; };
};

// (B, M, X): what a decoder predicts of the hidden patches; pixels (P) are what `mimeo reconstruct` and the report
// draw.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual at::Tensor Predict(const Encoding& encoding, const MaskPlan& plan) const = 0;
};

class ObjectiveSum {
 public:
  // What objectives are made of beside their own spec.
  struct Context {
    std::map<std::string, int> teacher_widths;  // T by the name of the objective that mimics
    RowGatherer rows;
    // Where objectives that compare with averages add the averaged twins of their heads, under the same names, and
    // their running means. Null: the job keeps no average, and no objective wants one (job/objective_checks.cc).
    Parameters* averaged = nullptr;
  };
  // Adds each head's parameters under "objective.<name>.". InvalidArgument: a mimic objective that is not in
  // `teacher_widths`; no objective that reads the encoder's output, so that its last layers would have no gradient.
  static absl::StatusOr<std::unique_ptr<ObjectiveSum>> Create(const JobSpec& spec, const Encoder& encoder,
                                                              const Context& context, Parameters* parameters);
  Needs needs() const;  // the union
  struct Result {
    at::Tensor total;                         // sum of weight * term
    std::map<std::string, at::Tensor> terms;  // detached, by name, unweighted
    std::map<std::string, at::Tensor> stats;  // "<objective>/<stat>"
    std::map<std::string, BatchMean> means;   // of all terms
  };
  Result Compute(const ForwardPass& pass) const;
  // The first reconstruction objective's decoder, or null.
  const Decoder* pixel_decoder() const;
  bool normalizes_patches() const;  // of that objective
  ~ObjectiveSum();

 private:
  ObjectiveSum();
  struct Term;
  std::vector<std::unique_ptr<Term>> terms_;
};

// Encodes every view as the objectives need it; fills `encodings` and `targets`. `average`: the averaged encoder, or
// null where no objective needs it.
void EncodeViews(const Encoder& encoder, const Encoder* average, const ObjectiveSum& objectives, ForwardPass* pass);

// `weight` at `progress` in [0, 1] of training; without a schedule, itself.
double WeightAt(const ObjectiveSpec& objective, double progress);

}  // namespace mimeo
