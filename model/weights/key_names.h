// What training code puts around the names of an encoder's tensors, and how it is taken off: prefixes of the modules
// that hold the encoder, torch's own wrappers, chunks of blocks. Pure functions; no torch.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mimeo {

struct EncoderKeys {
  std::map<std::string, std::string> keys;  // the names as the encoder's family has them -> the file's keys
  std::vector<std::string> notes;           // what was taken off, for people
};

// Finds the one encoder among a file's keys, by the patch embedding of a known family (KnownLayouts) at the end of a
// key. Whatever stands before it ("module.", "model.", "encoder.", "student_backbone.", and any nesting of such) is a
// prefix: the keys under it are the encoder, and all others are left out. Where no key is that of a patch embedding,
// the keys stay as they are.
//
// Names of torch's wrappers are taken out wherever they stand: `_orig_mod` (torch.compile), `_fsdp_wrapped_module`,
// `_checkpoint_wrapped_module`. Blocks in chunks, blocks.CHUNK.BLOCK.*, become blocks.BLOCK.*.
//
// `mimeo`: the file says that it is Mimeo's own, whose encoder is under "encoder."; then nothing is taken off.
//
// InvalidArgument: there are several encoders, such as a student and a teacher (each is named, with what to do), or two
// keys become one.
absl::StatusOr<EncoderKeys> FindEncoderKeys(const std::vector<std::string>& keys, bool mimeo);

}  // namespace mimeo
