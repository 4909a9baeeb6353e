#include "worker/training/side_stream.h"

#include <ATen/ops/empty_like.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace mimeo {
namespace {

c10::Stream CurrentStream(at::Device device) { return c10::impl::VirtualGuardImpl(device.type()).getStream(device); }

}  // namespace

struct DeviceMark::Event {
  explicit Event(at::Device on) : device(on), event(on.type()) {}
  const at::Device device;
  c10::Event event;
};

DeviceMark DeviceMark::Here(at::Device device) {
  DeviceMark mark;
  if (device.is_cpu()) return mark;
  mark.event_ = std::make_shared<Event>(device);
  mark.event_->event.record(CurrentStream(device));
  return mark;
}

void DeviceMark::AwaitOnHost() const {
  if (event_ != nullptr) event_->event.synchronize();
}

void DeviceMark::AwaitOnStream() const {
  if (event_ != nullptr) event_->event.block(CurrentStream(event_->device));
}

struct SideStream::Stream {
  c10::Stream stream;
};

SideStream::SideStream(at::Device device) : device_(device) {
  if (device.is_cpu()) return;
  stream_ =
      std::make_shared<Stream>(Stream{c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device)});
}

DeviceMark SideStream::Run(const DeviceMark& after, const std::function<void()>& body) {
  if (stream_ == nullptr) {
    after.AwaitOnHost();
    body();
    return DeviceMark();
  }
  const c10::StreamGuard guard(stream_->stream);
  after.AwaitOnStream();
  body();
  return DeviceMark::Here(device_);
}

struct OwnStream::Guard {
  explicit Guard(c10::Stream stream) : guard(stream) {}
  const c10::StreamGuard guard;
};

OwnStream::OwnStream(at::Device device) {
  if (device.is_cpu()) return;
  const DeviceMark before = DeviceMark::Here(device);
  guard_ = std::make_unique<Guard>(c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device));
  before.AwaitOnStream();
}

OwnStream::~OwnStream() = default;

void HandOver(const at::Tensor& tensor) {
  if (tensor.defined() && !tensor.device().is_cpu()) tensor.record_stream(CurrentStream(tensor.device()));
}

at::Tensor CopyToDevice(const at::Tensor& tensor, at::Device device) {
  if (device.is_cpu()) return tensor;
  return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

at::Tensor CopyToHost(const at::Tensor& tensor) {
  const at::Tensor detached = tensor.detach();
  if (detached.device().is_cpu()) return detached.clone();
  const at::Tensor host = at::empty_like(detached, detached.options().device(at::kCPU).pinned_memory(true));
  host.copy_(detached, /*non_blocking=*/true);
  return host;
}

}  // namespace mimeo
