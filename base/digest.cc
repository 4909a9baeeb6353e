#include "base/digest.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"

namespace mimeo {

struct Sha256Stream::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256Stream::Sha256Stream() : context_(new Context) { EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr); }
Sha256Stream::~Sha256Stream() = default;

void Sha256Stream::Update(absl::string_view bytes) { EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()); }

std::string Sha256Stream::Finish() {
  std::string digest(EVP_MD_size(EVP_sha256()), '\0');
  EVP_DigestFinal_ex(context_->evp, reinterpret_cast<unsigned char*>(&digest[0]), nullptr);
  return digest;
}

std::string Sha256(absl::string_view bytes) {
  Sha256Stream stream;
  stream.Update(bytes);
  return stream.Finish();
}

std::string Sha256Hex(absl::string_view bytes) { return absl::BytesToHexString(Sha256(bytes)); }

}  // namespace mimeo
