// Work on a device beside the training step's own stream: batches go in, numbers and snapshots come out. A CPU has no
// stream beside: there everything is done when the call returns. One thread uses a stream; any thread may await a mark.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace mimeo {

// A point in a device's work. It is a value, and copies mean the same point.
class DeviceMark {
 public:
  DeviceMark() = default;  // a point that is passed already
  // The point after everything that the calling thread's current stream on `device` holds now.
  static DeviceMark Here(at::Device device);

  void AwaitOnHost() const;  // blocks the thread until the point is passed
  // Makes the calling thread's current stream wait for the point before it does what it is given from now on. The
  // thread does not wait.
  void AwaitOnStream() const;

 private:
  struct Event;
  std::shared_ptr<Event> event_;  // null: passed
};

// A stream of its own on `device`; on a CPU, nothing.
class SideStream {
 public:
  explicit SideStream(at::Device device);

  // What `body` enqueues goes to this stream, behind `after`. Returns the mark of its end. A tensor that `body` makes
  // and another stream reads must live until that other stream has read it: HandOver says so to libtorch's allocator.
  DeviceMark Run(const DeviceMark& after, const std::function<void()>& body);

 private:
  const at::Device device_;
  struct Stream;
  std::shared_ptr<Stream> stream_;  // null on a CPU
};

// As long as it lives, the calling thread's current stream on a GPU is one of its own and not the device's default one,
// behind what the current stream holds now. On a CPU it does nothing. A CUDA graph cannot be recorded on the default
// stream.
class OwnStream {
 public:
  explicit OwnStream(at::Device device);
  ~OwnStream();

 private:
  struct Guard;
  std::unique_ptr<Guard> guard_;  // null on a CPU
};

// Says that the calling thread's current stream reads `tensor`, which was made on a SideStream: its memory is not given
// to others before that has been done. Undefined tensors and those on the CPU are left alone.
void HandOver(const at::Tensor& tensor);

// Copies `tensor` to `device` without making the host wait: through pinned memory where `device` is a GPU. On a CPU it
// is the same tensor.
at::Tensor CopyToDevice(const at::Tensor& tensor, at::Device device);
// Copies to the host in the same way. The copy may be read once a mark that was taken after this call is passed. On a
// CPU it is a copy too, so the original may change.
at::Tensor CopyToHost(const at::Tensor& tensor);

}  // namespace mimeo
