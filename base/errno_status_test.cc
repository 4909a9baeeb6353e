#include "base/errno_status.h"

#include <cerrno>

#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

TEST(ErrnoStatusTest, SaysWhatInWords) {
  EXPECT_THAT(ErrnoStatus(ENOENT, "/a/b.jpg"),
              StatusIs(absl::StatusCode::kNotFound, "/a/b.jpg: No such file or directory"));
  EXPECT_THAT(ErrnoStatus(ESTALE, "x"), StatusIs(absl::StatusCode::kUnavailable, "x: Stale file handle"));
}

TEST(ErrnoStatusTest, WhatMayPassIsUnavailable) {
  for (const int error : {EIO, ESTALE, ENOTCONN, ETIMEDOUT, EHOSTDOWN, EHOSTUNREACH, ECONNREFUSED, EMFILE, ENFILE,
                          EAGAIN, ENOMEM, ENODEV}) {
    EXPECT_THAT(ErrnoStatus(error, "x"), StatusIs(absl::StatusCode::kUnavailable));
  }
}

TEST(ErrnoStatusTest, WhatAPersonMendsHasItsOwnCode) {
  for (const int error : {ENOENT, ENOTDIR, ELOOP}) {
    EXPECT_THAT(ErrnoStatus(error, "x"), StatusIs(absl::StatusCode::kNotFound));
  }
  for (const int error : {EACCES, EPERM}) {
    EXPECT_THAT(ErrnoStatus(error, "x"), StatusIs(absl::StatusCode::kPermissionDenied));
  }
  for (const int error : {ENOSPC, EDQUOT}) {
    EXPECT_THAT(ErrnoStatus(error, "x"), StatusIs(absl::StatusCode::kResourceExhausted));
  }
  EXPECT_THAT(ErrnoStatus(ENAMETOOLONG, "x"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ErrnoStatus(EXDEV, "x"), StatusIs(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace mimeo
