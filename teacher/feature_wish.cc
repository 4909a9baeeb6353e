#include "teacher/feature_wish.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace mimeo {

WishKey::WishKey(const FeatureWish& wish) {
  FeatureWish known = wish;
  known.DiscardUnknownFields();
  google::protobuf::io::StringOutputStream bytes(&bytes_);
  google::protobuf::io::CodedOutputStream coded(&bytes);
  coded.SetSerializationDeterministic(true);
  known.SerializeToCodedStream(&coded);
}

}  // namespace mimeo
