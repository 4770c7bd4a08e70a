// A device without memory: it counts what is asked of it. So rules tell how much they keep.
#pragma once

#include <memory>
#include <string>

#include "backend/backend.h"
#include "base/check.h"

namespace easgd {

/// Its buffers have a size and no numbers, so nothing is copied or computed. It makes no letters
/// and no models.
class CountingBackend final : public Backend {
 public:
  std::size_t bytes() const { return bytes_; }

  std::string device() const override { return "a device that counts"; }
  Buffer allocate(std::size_t count) override {
    bytes_ += count * sizeof(float);
    return Buffer(nullptr, count, [](float*) {});
  }
  Buffer allocate_mailbox(std::size_t count) override { return allocate(count); }
  void upload(ConstView, View) override {}
  void download(ConstView, View) override {}
  void start_download(ConstView, View) override {}
  void run(const kernels::Elementwise&, std::size_t) override {}
  void start_distance(ConstView, ConstView) override {}
  double squared_distance() override { return 0; }
  void finish() override {}
  LetterLane& letters() override { refuse("a letter lane"); }
  std::unique_ptr<Model> compile(const Network&, const ModelOptions&) override {
    refuse("a model");
  }

 private:
  [[noreturn]] void refuse(const char* what) const {
    throw Bug(__FILE__, __LINE__, "a device with memory", what);
  }

  std::size_t bytes_ = 0;
};

}  // namespace easgd
