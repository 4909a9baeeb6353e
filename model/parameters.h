// The trainable tensors of a model, by name. Each is initialised on the CPU from
// RandomKey(seed).Fold("init").Fold(name), so it is bit-equal on every rank and device and for every size of gang. One
// thread at a time.
//
// It stands in place of torch::nn::Module, whose header costs 11 s for each file that includes it: a reducer and an
// optimizer want lists of tensors, and no more.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "base/random_key.h"
#include "proto/job.pb.h"

namespace mimeo {

enum class Init {
  kZeros,
  kOnes,
  kNormal1e6,        // deviation 1e-6
  kNormal002,        // deviation 0.02
  kNormal002CutOff,  // the same, drawn again until it is within one deviation
  // Of the shape seen as [dim 0, the rest], as MAE initialises (facebookresearch/mae, models_mae.py).
  kXavierUniform,
  kXavierUniformThirds,  // the same of each third of dim 0: query, key and value
  kConvDefault,          // uniform in +-1/sqrt(fan_in): torch's default for a convolution and for a linear layer
};

// How a parameter is drawn.
struct Draw {
  Init init = Init::kZeros;
  int64_t fan_in = 0;  // kConvDefault needs it
  double scale = 1;    // of kNormal002CutOff: its deviation is multiplied by it
};

// What the matrix products of a model (linear layers, attention) compute in. kBFloat16 does what PyTorch's autocast
// does: inputs and weights of a product are rounded to bfloat16, and the product accumulates in float32 and is rounded
// once. Weights, residuals, normalisations, losses and the gradients of weights stay float32.
enum class Products { kAsStored, kBFloat16 };

// It outlives the encoder, objectives, optimizer and reducer that are made over it. Names are unique and never removed.
class Parameters {
 public:
  // Every layer that is made over these parameters reads `products`.
  explicit Parameters(uint64_t seed, Products products = Products::kAsStored)
      : key_(RandomKey(seed).Fold("init")), products_(products) {}

  // Parameters whose values Add leaves unset: for weights that come from a file.
  static Parameters Unset(Products products = Products::kAsStored);

  // Whose way it is to draw what Add draws. Set it before layers are made.
  void set_initial_weights(InitialWeights kind) { initial_weights_ = kind; }
  InitialWeights initial_weights() const { return initial_weights_; }

  // Adds a float32 leaf that requires a gradient. It is drawn as `init` says, or as initial_weights() has it in place
  // of that (model/initial_weights.h). Of a bias, `fan_in` is the number of its layer's inputs. A name that exists
  // fails a MIMEO_CHECK.
  at::Tensor Add(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in = 0);

  // Adds a float32 leaf that starts as a copy of `value`.
  at::Tensor AddAs(const std::string& name, const at::Tensor& value);

  // The parameter stays what it is: it requires no gradient, and the optimizer and the reducer pass it over. Call it
  // before they are made.
  void Freeze(const std::string& name);

  // Adds a tensor that is not trained, such as positions, but lives on the device where the parameters live.
  at::Tensor AddConstant(const std::string& name, const at::Tensor& value);

  const std::vector<std::pair<std::string, at::Tensor>>& all() const { return all_; }  // in order of Add
  const std::vector<std::pair<std::string, at::Tensor>>& constants() const { return constants_; }
  std::vector<std::pair<std::string, at::Tensor>> trained() const;  // all() but the frozen ones
  at::Tensor Find(const std::string& name) const;                   // a parameter or a constant; MIMEO_CHECKs the name
  bool Has(const std::string& name) const;
  Products products() const { return products_; }

  // Whether transformer blocks that are made over these parameters keep only their input for the backward pass, and
  // compute themselves again there (model/recompute.h). Set it before they are made.
  void set_recompute_blocks(bool recompute) { recompute_blocks_ = recompute; }
  bool recompute_blocks() const { return recompute_blocks_; }

  // Moves and converts everything in place: the handles that Add gave see the change. Call it before any optimizer or
  // reducer is made.
  void To(at::Device device, at::ScalarType dtype);

 private:
  RandomKey key_;
  Products products_;
  bool recompute_blocks_ = false;
  bool initialises_ = true;
  InitialWeights initial_weights_ = INITIAL_WEIGHTS_MAE;
  std::vector<std::pair<std::string, at::Tensor>> all_;
  std::vector<std::pair<std::string, at::Tensor>> constants_;
};

}  // namespace mimeo
