// The door to a device. Everything above it is the same on every device; everything below it may
// keep its own layouts, streams and libraries.
//
// A backend belongs to the thread that made it, and so does everything it makes. Work is ordered in
// two lanes: the compute lane (run, gradient, evaluate, observe) and the transfer lane (post,
// fetch). A call may return before its work is done; each lane keeps its order, and `fetch` joins
// them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/registry.h"
#include "base/view.h"
#include "data/batch.h"
#include "kernels/elementwise.h"
#include "nn/network.h"

namespace easgd {

/// Sums over the samples seen since the tally was last taken.
struct Tally {
  double loss = 0;  ///< sum of the samples' losses
  std::int64_t hits = 0;
  std::int64_t samples = 0;

  void operator+=(const Tally& t) { loss += t.loss, hits += t.hits, samples += t.samples; }
  /// Not a number where there are no samples.
  double mean_loss() const { return loss / double(samples); }
  double error() const { return samples ? double(samples - hits) / double(samples) : 0; }
};

/// A network compiled for one device and one batch size. Belongs to the thread that made it.
class Model {
 public:
  virtual ~Model() = default;
  /// g [P] = gradient of the mean loss over the batch, at parameters x [P]. Moves the running
  /// statistics [S] towards the batch's; an empty view where nobody wants them. A batch may be
  /// smaller than the compiled size only in `evaluate`.
  virtual void gradient(ConstView x, const Batch& batch, View g, View statistics) = 0;
  /// Loss and hits only, with the state [P + S]: dropout off, running statistics used.
  virtual void evaluate(ConstView state, const Batch& batch) = 0;
  /// statistics [S] += weight (the batch's at x [P], dropout off - statistics). Nothing is tallied.
  virtual void observe(ConstView x, const Batch& batch, float weight, View statistics) = 0;
  /// Loss and hits of the batches finished since the last call. Does not wait for those in flight;
  /// after Backend::finish there are none.
  virtual Tally take_tally() = 0;
  /// Bytes of activations and workspaces.
  virtual std::size_t memory() const = 0;
};

struct ModelOptions {
  std::size_t batch = 0;
  bool training = true;  ///< false: `evaluate` only, no memory for gradients
  bool graphs = true;    ///< CUDA: a step is recorded once and then launched as one piece of work
  bool plan_search = false;  ///< CUDA: of several plans for a convolution the fastest is taken
  std::string precision = "f32";
  std::uint64_t seed = 0;  ///< of the dropout masks
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// "cpu", "cuda:1".
  virtual std::string device() const = 0;

  /// Zeroed device memory.
  virtual Buffer allocate(std::size_t count) = 0;
  /// Zeroed host memory that letters and replies travel through at full speed. Where a center is on
  /// a device, the memory of that device may stand for it in post, fetch and upload.
  virtual Buffer allocate_mailbox(std::size_t count) = 0;
  /// Whether the device can keep so many bytes of a training set: models then take batches that say
  /// how they are cut out of it.
  virtual bool can_hold(std::size_t /*bytes*/) const { return false; }
  /// Host to device, of equal sizes, done on return.
  virtual void upload(ConstView host, View device) = 0;
  /// Device to host, of equal sizes, done on return.
  virtual void download(ConstView device, View host) = 0;
  /// The same to mailbox memory, done once the compute lane is: after `squared_distance`, `finish`.
  virtual void start_download(ConstView device, View mailbox) = 0;

  /// One fused pass over flat vectors, on the compute lane.
  virtual void run(const kernels::Elementwise& kernel, std::size_t count) = 0;

  /// Begins to measure how far x [P] is from c [P], or from zero where c is empty. One at a time.
  virtual void start_distance(ConstView x, ConstView c) = 0;
  /// What it was, in double; not finite if an element of x is not. Waits for the compute lane.
  virtual double squared_distance() = 0;

  /// Copies x [P] and after it the statistics [S] to a letter [P + S] in mailbox memory on the
  /// transfer lane, then calls `posted`, on any thread; one letter at a time. Later work of the
  /// compute lane may read x while that goes on, but `fetch` must come before x is written;
  /// statistics may be written at once.
  virtual void post(ConstView x, ConstView statistics, View letter,
                    std::function<void()> posted) = 0;
  /// Returns once `posted` of the last letter has been called.
  /// Throws: DeviceError where the device has failed and it never will be.
  virtual void wait_posted() = 0;
  /// Makes a reply in mailbox memory readable by later work of the compute lane.
  virtual ConstView fetch(ConstView reply) = 0;
  /// Seconds for which the compute lane has had no work because a reply was late, some exchanges
  /// ago; nothing where the lane is the calling thread, which can see for itself.
  virtual std::optional<double> stood_still() const { return std::nullopt; }

  /// Waits for both lanes.
  virtual void finish() = 0;

  virtual std::unique_ptr<Model> compile(const Network& network, const ModelOptions& options) = 0;
};

/// Adds up over devices. Belongs to the thread that made it; the backends it was made for outlive
/// it.
class Collective {
 public:
  /// Gives up what is under way.
  virtual ~Collective() = default;
  /// sums[i] [P] = terms[0] + terms[1] + ..., the same bits in each i, as the next work of the i-th
  /// backend's compute lane. An empty term is zeros.
  virtual void sum(std::span<const ConstView> terms, std::span<const View> sums) = 0;
  /// Waits for the compute lanes of all.
  /// Throws: DeviceError where a device has failed, though others wait for its terms, and after
  /// `longest`.
  virtual void finish() = 0;

  /// So long `finish` waits: a sum takes milliseconds, and a path that loses data can keep one from
  /// ever ending.
  std::chrono::milliseconds longest = std::chrono::seconds(60);
};

/// Makes one for backends of one kind, each with a device of its own. Registered beside the
/// backend, under "cuda".
/// Throws: DeviceError.
struct CollectiveEntry {
  std::function<std::unique_ptr<Collective>(std::span<Backend* const>)> make;
};

struct BackendOptions {
  int index = 0;        ///< which device of its kind: 1 in "cuda:1"
  int threads = 1;      ///< CPU: of the team that computes
  bool urgent = false;  ///< CUDA: its work goes before that of others on the device
};

/// Makes a backend for the calling thread. Registered under "cpu", "cuda".
/// Throws: DeviceError.
using BackendEntry = std::function<std::unique_ptr<Backend>(const BackendOptions&)>;

/// One of a kind that is registered.
inline std::unique_ptr<Backend> make_backend(const std::string& kind,
                                             const BackendOptions& options = {}) {
  return Registry<BackendEntry>::get(kind)(options);
}

struct Device {
  std::string description;  ///< for people
  std::string why_not;      ///< what keeps this program from using it, or nothing
};

/// The devices of a kind that this machine has. Registered beside the backend, under "cuda".
/// Throws: DeviceError saying why there is none.
struct DeviceList {
  std::function<std::vector<Device>()> list;
};

/// A way from one memory to another.
struct DevicePath {
  std::string from, to;  ///< "host", "cuda:0"
  bool peer = false;     ///< without the host in between
  bool exact = false;    ///< what was sent arrived, to the last bit
  double speed = 0;      ///< bytes a second
};

/// The ways between the devices of a kind and the host, found by trying them. Registered beside the
/// backend, under "cuda". From one thread at a time.
/// Throws: DeviceError.
struct DevicePaths {
  std::function<std::vector<DevicePath>()> measure;
  /// Whether device `from` may write and read the memory of device `to` itself: it says so, and a
  /// trial confirms. From then on it may.
  std::function<bool(int from, int to)> open_peer;
};

}  // namespace easgd
