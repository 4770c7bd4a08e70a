// Eight values at a time, of either storage type; one at a time where a row of lanes ends.
#pragma once

#include <cstdint>
#include <cstring>

#include "backend/cpu/storage.h"

namespace easgd::cpu {

using Float8 = float __attribute__((vector_size(32)));
using Int8 = std::int32_t __attribute__((vector_size(32)));
using Short8 = std::uint16_t __attribute__((vector_size(16)));

/// How a loop treats its lanes: kWidth of them together.
struct Eight {
  static constexpr std::size_t kWidth = 8;
  using Float = Float8;
  using Int = Int8;
};
struct One {
  static constexpr std::size_t kWidth = 1;
  using Float = float;
  using Int = std::int32_t;
};

template <class Vector, class T>
inline Vector load(const T* p) {
  Vector v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
template <class Vector, class T>
inline void store(T* p, const Vector& v) {
  std::memcpy(p, &v, sizeof(v));
}

inline void load_floats(const float* p, float& v) { v = *p; }
inline void load_floats(const Bf16* p, float& v) { v = *p; }
inline void load_floats(const float* p, Float8& v) { v = load<Float8>(p); }
inline void load_floats(const Bf16* p, Float8& v) {
  v = std::bit_cast<Float8>(__builtin_convertvector(load<Short8>(p), Int8) << 16);
}

inline void store_floats(float* p, float v) { *p = v; }
inline void store_floats(Bf16* p, float v) { *p = Bf16(v); }
inline void store_floats(float* p, const Float8& v) { store(p, v); }
inline void store_floats(Bf16* p, const Float8& v) {
  for (int i = 0; i < 8; ++i) p[i] = Bf16(v[i]);
}

inline void widen(const std::uint16_t* p, std::int32_t& v) { v = *p; }
inline void widen(const std::uint16_t* p, Int8& v) {
  v = __builtin_convertvector(load<Short8>(p), Int8);
}
inline void narrow(std::uint16_t* p, std::int32_t v) { *p = std::uint16_t(v); }
inline void narrow(std::uint16_t* p, const Int8& v) { store(p, __builtin_convertvector(v, Short8)); }

/// Calls f(Eight{}, lane) for groups of eight lanes and f(One{}, lane) for those left over.
template <class Function>
inline void for_lanes(std::size_t lanes, const Function& f) {
  std::size_t lane = 0;
  for (; lane + 8 <= lanes; lane += 8) f(Eight{}, lane);
  for (; lane < lanes; ++lane) f(One{}, lane);
}

}  // namespace easgd::cpu
