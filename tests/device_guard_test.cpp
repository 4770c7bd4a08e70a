// A thread may have backends of several devices: what each makes and does is its own device's,
// whichever is the thread's current one.

#include <doctest/doctest.h>

#include <thread>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/current_device.h"
#include "fake_cuda.h"
#include "network_spec.h"
#include "random_batch.h"

using namespace easgd;

namespace {

/// Calls f(first, second) with backends of devices 0 and 1, of which the second is the current one.
template <class Function>
void with_two_devices(const Function& f) {
  std::jthread([&f] {  // a thread without a device
    fake_cuda::set_devices(2);
    fake_cuda::watch_memory();
    {
      cuda::CudaBackend first({.index = 0}), second({.index = 1});
      f(first, second);
      CHECK(cuda::current_device() == 1);
    }
    fake_cuda::mend();
  })
      .join();
}

}  // namespace

TEST_CASE("device guard: memory that a backend makes is its device's") {
  with_two_devices([](cuda::CudaBackend& first, cuda::CudaBackend& second) {
    const Buffer x = first.allocate(4), other = second.allocate(4);
    CHECK(fake_cuda::owner_of(x.data()) == 0);
    CHECK(fake_cuda::owner_of(other.data()) == 1);
    const Buffer letter = first.allocate_mailbox(8);
    first.letters().post(std::vector<ConstView>{x, x}, letter, [] {});
    first.letters().wait_posted();
    const ConstView reply = first.letters().fetch(letter);
    CHECK(fake_cuda::owner_of(reply.data()) == 0);
    first.start_distance(x, {});
    CHECK(first.squared_distance() == 0);
    first.finish();
  });
}

TEST_CASE("device guard: a model is made, and computes, on its backend's device") {
  with_two_devices([](cuda::CudaBackend& first, cuda::CudaBackend&) {
    const Network network =
        testing::make_network({2, 6, 6}, 3, "conv channels=4 kernel=3; relu; linear outputs=3");
    const testing::RandomBatch data(network, 4);
    const auto model = first.compile(network, {.batch = 4});
    const Buffer x = first.allocate(network.parameter_count());
    const Buffer g = first.allocate(network.parameter_count());
    for (int i = 0; i < 3; ++i) model->gradient(x, data.batch, g, {});
    model->evaluate(x, data.batch);
    first.finish();
    CHECK(model->take_tally().samples == 16);
  });
}
