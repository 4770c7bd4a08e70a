// What the layers of one piece share while they are compiled: oneDNN's engine and stream, memory,
// and one scratchpad that every primitive uses in turn.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "backend/cpu/onednn.h"
#include "backend/cpu/shared_work.h"
#include "backend/model.h"
#include "nn/network.h"

namespace easgd::cpu {

/// How a batch is cut.
struct Cut {
  std::size_t pieces;
  std::size_t samples;  ///< of the largest piece
  SharedWorks& shared;
};

/// `options.batch` is the piece's.
class Workbench {
 public:
  Workbench(const Network& network, const ModelOptions& options, const Cut& cut);

  const Network& network() const { return network_; }
  const ModelOptions& options() const { return options_; }
  const dnnl::engine& engine() const { return engine_; }
  const dnnl::stream& stream() const { return stream_; }
  const Cut& cut() const { return cut_; }
  /// What the pieces share of a stage: what `make` makes for the first that asks.
  template <class Work, class Make>
  Work& shared(std::size_t stage, const Make& make) {
    std::unique_ptr<SharedWork>& work = cut_.shared[stage];
    if (!work) work = make();
    return dynamic_cast<Work&>(*work);
  }
  /// Of activations and their gradients; parameters are always f32.
  memory::data_type type() const { return type_; }
  /// [N][C][H][W]
  memory::dims dims(Shape shape) const;

  /// Memory that lives as long as the model: zeroed, or one that was given back, which earlier
  /// layers write in every pass. What is to last from pass to pass has memory of its own.
  memory make(const memory::desc& desc);
  memory make_own(const memory::desc& desc);
  /// For layers that are compiled from now on: in a pass they run when nobody reads it any more.
  void give_back(const memory& unused) { unused_.push_back(unused); }
  View make_floats(std::size_t count);
  /// A memory without floats of its own: see `point_at`.
  memory unbound(const memory::desc& desc) const;

  /// An argument for every primitive made with `attributes()`.
  std::pair<int, memory> scratchpad(const dnnl::primitive_desc_base& descriptor);
  dnnl::primitive_attr attributes() const;
  /// Gives the scratchpads their memory, once all layers are compiled.
  void finish();

  std::size_t bytes() const { return bytes_; }
  /// Adds memory that a layer holds itself.
  void count_bytes(std::size_t bytes) { bytes_ += bytes; }

 private:
  Network network_;
  ModelOptions options_;
  const Cut cut_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  memory::data_type type_;
  std::vector<Buffer> buffers_;
  View part_;  ///< of the last of them, what is left of it
  std::vector<memory> scratchpads_, unused_;
  std::map<void*, std::size_t> rooms_;  ///< bytes of what make() has made
  std::size_t bytes_ = 0;
};

/// A memory in the layout and type a primitive wants: the given one itself, or a copy of it. Copies
/// of parameters, which are unbound, have memory of their own: it may be small, and is never given
/// back.
class Converted {
 public:
  Converted() = default;
  /// `copy`: not the given one itself, because it will be overwritten.
  Converted(Workbench& bench, const memory& source, const memory::desc& wanted, bool copy = false);

  const memory& get() const { return target_; }
  bool copies() const { return bool(copy_); }
  /// Brings the copy up to date.
  void refresh(const dnnl::stream& stream) const {
    if (copy_) copy_(stream);
  }

 private:
  memory target_;
  Call copy_;
};

/// Copies between layouts and types.
Call make_copy(Workbench& bench, const memory& source, const memory& target);

}  // namespace easgd::cpu
