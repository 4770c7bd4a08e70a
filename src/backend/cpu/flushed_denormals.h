#pragma once

namespace easgd::cpu {

/// While one lives, the calling thread takes numbers that are too small to be normal, below 1.2e-38
/// in float32, for 0. A network that has learnt its data has gradients of such numbers, with which
/// processors compute some hundred times slower. Threads that are started meanwhile inherit it.
class FlushedDenormals {
 public:
#ifdef __SSE__
  FlushedDenormals() : before_(__builtin_ia32_stmxcsr()) {
    constexpr unsigned kResults = 0x8000, kOperands = 0x0040;
    __builtin_ia32_ldmxcsr(before_ | kResults | kOperands);
  }
  ~FlushedDenormals() {
    __builtin_ia32_ldmxcsr(before_);
  }
#else
  FlushedDenormals() {}
#endif
  FlushedDenormals(const FlushedDenormals&) = delete;
  FlushedDenormals& operator=(const FlushedDenormals&) = delete;

 private:
#ifdef __SSE__
  const unsigned before_;
#endif
};

}  // namespace easgd::cpu
