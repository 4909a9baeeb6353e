// The terms of the training loss: what a term is given, what it returns, and the weighted sum of those that a recipe
// names. Each term brings the head that only it uses. Nothing here knows of threads, gRPC or ranks beyond RowGatherer.
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

// The input of one encoding: one view of each image under one mask.
struct ViewInput {
  at::Tensor images_BCHW;  // normalised float32, on the device
  MaskPlan plan;
  int view = 0;  // the number of the crop; inputs of one view differ in their masks only (complementary groups)
  // The teacher's tokens, by the name of the objective that mimics them: (B, N, T) at its MimickedPatches
  // (objective/mimic.h), or (B, 1 + N, T) where it asked for the class token too, which stands first. Objectives that
  // want the same share a tensor.
  std::map<std::string, at::Tensor> teacher_BNT;
  at::Tensor drop_path_BR;  // as in EncodeOptions; undefined: nothing is dropped
};
// Everything that the objectives compute one micro-batch's loss from. The caller fills `views` and `shared_BCHW`, and
// EncodeViews fills the encodings.
struct ForwardPass {
  std::vector<ViewInput> views;
  std::vector<Encoding> encodings;  // one per element of views
  // The averaged encoder's encodings, by view and without gradient. It sees the whole view. There is one for each view
  // of the encoder's own image size, where needs().average_targets asks for them.
  std::map<int, Encoding> targets;
  at::Tensor shared_BCHW;  // the evaluation crops, normalised; defined where needs().shared_target
  double progress = 0;     // the part of the training that is done, in [0, 1]: weights and temperatures may follow it
  // True in an evaluation: the other ranks do not compute such a pass now, or not with as many rows, so nothing is
  // gathered from them.
  bool alone = false;
};

// All tensors that a pass is given, for whoever moves or copies them to a device or into a recorded graph. Some may be
// undefined. Their order is the same for all passes of one job.
std::vector<at::Tensor*> InputTensors(ForwardPass* pass);

// What an objective must find in a ForwardPass beside the views and their encodings.
struct Needs {
  bool shared_target = false;
  bool average_targets = false;  // ForwardPass::targets
  std::vector<int> blocks = {};  // inner blocks of the encoder, numbered as in EncodeOptions
};

// What a batch adds to a running mean. After the update, mean = momentum * mean + (1 - momentum) * value. Where a step
// has several micro-batches, their values are averaged first. All ranks have the same value.
struct BatchMean {
  at::Tensor value;  // detached
  double momentum = 0;
};

struct LossTerm {
  at::Tensor value;                             // float32 scalar, the mean over this rank's rows
  std::map<std::string, at::Tensor> stats;      // detached scalars to watch, on the device: the same names on each call
  std::map<std::string, BatchMean> means = {};  // by the name of the parameter of Context::averaged that keeps the mean
};

// One term. It keeps nothing between calls but its parameters: what a running mean needs goes out in LossTerm::means.
// One thread at a time.
class Objective {
 public:
  virtual ~Objective() = default;
  virtual Needs needs() const = 0;
  virtual LossTerm Compute(const ForwardPass& pass) const = 0;  // `pass` meets needs()
};

// Gathers all ranks' rows, (B, X) -> (W * B, X), in which this rank's stand at [rank * B, (rank + 1) * B). The backward
// pass sums each row's gradient over the ranks and keeps this rank's own rows: with the mean over ranks that follows in
// the step, the gradient is that of one rank on all rows. `gather` blocks until every rank has called it, and all ranks
// call it in the same order. The default gathers from this rank alone.
struct RowGatherer {
  int rank = 0;
  int size = 1;
  std::function<at::Tensor(const at::Tensor& rows_BX)> gather = [](const at::Tensor& rows_BX) { return rows_BX; };
};

// What predicts values of the hidden patches, (B, M, X), in plan.hidden_BM's order. Where the values are pixels (X =
// P), `mimeo reconstruct` and the report draw them.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual at::Tensor Predict(const Encoding& encoding, const MaskPlan& plan) const = 0;
};

// The loss of a job: the weighted sum of its objectives, in the order of the recipe. The rank's model owns it. It keeps
// handles to tensors of `parameters` and `averaged`, and nothing of the encoder. One thread at a time.
class ObjectiveSum {
 public:
  // What objectives are made of beside their own spec.
  struct Context {
    std::map<std::string, int> teacher_widths;  // T by the name of the objective that mimics
    RowGatherer rows;
    // Objectives that compare with averages add here, under the same names, the averaged twins of their heads and their
    // running means. Null: the job keeps no average, and then no objective wants one (job/objective_checks.cc).
    Parameters* averaged = nullptr;
  };
  // Adds each head's parameters under "objective.<name>.", in the order of the recipe. InvalidArgument: a mimic
  // objective is not in `teacher_widths`, or no objective reads the encoder's output, so that its last layers would
  // have no gradient. The message names all of these.
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
  // The decoder of the first reconstruction objective; null if there is none. It lives as long as this object.
  const Decoder* pixel_decoder() const;
  bool normalizes_patches() const;  // whether that objective's targets are normalised; false if there is none
  ~ObjectiveSum();

 private:
  ObjectiveSum();
  struct Term;
  std::vector<std::unique_ptr<Term>> terms_;
};

// Encodes every view as the objectives need it, and fills `encodings` and `targets`. `average` is the averaged encoder;
// it may be null where no objective needs it.
void EncodeViews(const Encoder& encoder, const Encoder* average, const ObjectiveSum& objectives, ForwardPass* pass);

// The weight of an objective at `progress` in [0, 1] of the training. Without a schedule it stays the same.
double WeightAt(const ObjectiveSpec& objective, double progress);

}  // namespace mimeo
