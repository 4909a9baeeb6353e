// A recipe's text <-> a JobSpec with every default written out. Pure; no file, network or torch.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/job.pb.h"

namespace mimeo {

// Text proto -> JobSpec. InvalidArgument lists *every* unknown field and syntax error (the first hundred), one a line,
// "recipe.textproto:3:7: unknown field \"widht\" in VitSpec; known: patch_px, width, ...". `text` may be any bytes, and
// so may the name: what is quoted of them is made text (base/text.h).
absl::StatusOr<JobSpec> ParseRecipe(absl::string_view text, absl::string_view source_name);

// "schedule.epochs=3", "objective[mimic].weight=0.5", "encoder.vit.depth=4", "seed=7". Strings need no quotes.
// "schedule.epochs=" takes a field out. InvalidArgument names the part of the path that does not exist and what does.
// The assignment may be any bytes.
absl::Status SetField(absl::string_view assignment, JobSpec* spec);

// Every default of job.proto written out, and everything checked; the result has at most limits::kSpecBytes.
// InvalidArgument: all problems at once, one a line: "data.global_batch: 30 is not a multiple of 4 ranks x micro-batch
// 4; nearest that fit: 16, 32".
absl::StatusOr<JobSpec> ResolveJobSpec(const JobSpec& spec);

// What an earlier version resolved, with the defaults of the fields that this one added: what the job did without them.
// As it is, where this version would refuse it.
JobSpec InThisVersion(const JobSpec& resolved);

// Stable text form: field order of job.proto, shortest doubles that read back equal.
std::string JobSpecText(const JobSpec& spec);

}  // namespace mimeo
