// Bazel compiles this file whenever it links a binary, with the output of scripts/workspace_status as macros.
namespace mimeo {

extern const char kStampedLabel[];
extern const char kStampedCommit[];
extern const char kStampedTree[];

const char kStampedLabel[] = BUILD_EMBED_LABEL;
const char kStampedCommit[] = BUILD_SCM_REVISION;
const char kStampedTree[] = BUILD_SCM_STATUS;

}  // namespace mimeo
