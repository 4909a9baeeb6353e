// Work on a device beside the training step's own stream: batches in, numbers and snapshots out. On a CPU there is no
// beside: whatever is asked for is done when the call returns. One thread a stream; marks may be awaited on any.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace mimeo {

// A point in a device's work.
class DeviceMark {
 public:
  DeviceMark() = default;  // passed already
  // After everything that the calling thread's current stream on `device` holds now.
  static DeviceMark Here(at::Device device);

  void AwaitOnHost() const;  // blocks
  // What the calling thread's current stream is given from now on waits for it; the thread does not.
  void AwaitOnStream() const;

 private:
  struct Event;
  std::shared_ptr<Event> event_;  // null: passed
};

class SideStream {
 public:
  explicit SideStream(at::Device device);

  // What `body` enqueues goes to this stream, after `after`. It returns the mark of its end. A tensor made by `body`
  // and read on another stream is to be kept alive until that stream has passed the reading: HandOver says so to
  // libtorch's allocator.
  DeviceMark Run(const DeviceMark& after, const std::function<void()>& body);

 private:
  const at::Device device_;
  struct Stream;
  std::shared_ptr<Stream> stream_;  // null on a CPU
};

// The calling thread's current stream on a GPU is one of its own, not the device's default one, for as long as this
// lives; after what that holds now. On a CPU nothing.
class OwnStream {
 public:
  explicit OwnStream(at::Device device);
  ~OwnStream();

 private:
  struct Guard;
  std::unique_ptr<Guard> guard_;  // null on a CPU
};

// The calling thread's current stream reads `tensor`, which was made on a SideStream: its memory is not given to others
// before that has been done. Undefined tensors and those on the CPU are left alone.
void HandOver(const at::Tensor& tensor);

// `tensor` on `device`, copied without the host waiting for it: through pinned memory where `device` is a GPU.
at::Tensor CopyToDevice(const at::Tensor& tensor, at::Device device);
// To the host, likewise: readable once a mark that was taken after this call is passed. On a CPU a copy too.
at::Tensor CopyToHost(const at::Tensor& tensor);

}  // namespace mimeo
