// The transforms of kernels/dft.h for signals of kLanes side by side, one per SIMD lane: included
// by each of its variants, once.
//
// A transform of any length is written as straight-line code on signals that are held in registers.
#pragma once

namespace easgd::kernels {
namespace {

// ---- Transforms of length L in registers, unrolled at compile time ----

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
typedef float UnalignedVec
    __attribute__((vector_size(kLanes * sizeof(float)), aligned(alignof(float))));

struct Complex {
  Vec re, im;
};

template <int L>
using Signal = std::array<Complex, L>;

// Many short runs of memory are read and written side by side, too many for the processor to
// foresee, so each access asks for what comes `ahead` of it. Beyond an array that does no harm.
inline Vec load(const float* p, std::ptrdiff_t ahead) {
  __builtin_prefetch(p + ahead);
  return *reinterpret_cast<const UnalignedVec*>(p);
}
inline void store(float* p, Vec v, std::ptrdiff_t ahead) {
  __builtin_prefetch(p + ahead, 1);
  *reinterpret_cast<UnalignedVec*>(p) = v;
}

/// Calls f(0), ..., f(Count - 1) with compile-time arguments.
template <int Count, class F>
void unroll(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) {
    (f(std::integral_constant<int, I>{}), ...);
  }
  (std::make_integer_sequence<int, Count>{});
}

/// Cosine and sine of `turns` / L of a circle.
template <int L>
constexpr float cosine(int turns) {
  return static_cast<float>(std::cos(2 * std::numbers::pi * turns / L));
}
template <int L>
constexpr float sine(int turns) {
  return static_cast<float>(std::sin(2 * std::numbers::pi * turns / L));
}

/// z * exp(-2 pi i Turns / L).
template <int L, int Turns>
Complex rotate(Complex z) {
  if constexpr (Turns == 0) {
    return z;
  } else if constexpr (4 * Turns == L) {
    return {z.im, -z.re};
  } else {
    constexpr float c = cosine<L>(Turns), s = sine<L>(Turns);
    return {z.re * c + z.im * s, z.im * c - z.re * s};
  }
}

/// The first factor R of a length: the power of two in it, or 4, 2 or the smallest prime if the
/// length is a power of two or odd.
constexpr int radix(int length) {
  const int even = length & -length;
  if (even != length && even > 1) return even;
  if (even == length) return length > 4 ? 4 : 2;
  for (int p = 3; p < length; p += 2) {
    if (length % p == 0) return p;
  }
  return length;
}

/// The forward transform of a prime number of points; points j and L - j share their products.
template <int L>
Signal<L> prime_dft(const Signal<L>& z) {
  if constexpr (L == 2) {
    return {{{z[0].re + z[1].re, z[0].im + z[1].im}, {z[0].re - z[1].re, z[0].im - z[1].im}}};
  } else {
    Signal<L> out;
    out[0] = z[0];
    unroll<L / 2>([&](auto j) {
      out[0].re += z[j + 1].re + z[L - 1 - j].re;
      out[0].im += z[j + 1].im + z[L - 1 - j].im;
    });
    unroll<L / 2>([&](auto i) {
      constexpr int k = i + 1;
      Complex even = z[0], odd = {};
      unroll<L / 2>([&](auto j) {
        constexpr float c = cosine<L>(k * (j + 1)), s = sine<L>(k * (j + 1));
        even.re += c * (z[j + 1].re + z[L - 1 - j].re);
        even.im += c * (z[j + 1].im + z[L - 1 - j].im);
        odd.re += s * (z[j + 1].re - z[L - 1 - j].re);
        odd.im += s * (z[j + 1].im - z[L - 1 - j].im);
      });
      out[k] = {even.re + odd.im, even.im - odd.re};
      out[L - k] = {even.re - odd.im, even.im + odd.re};
    });
    return out;
  }
}

/// The forward transform of L = R * M points by R transforms of M points, then M of R points:
/// Good-Thomas (no twiddle factors) where R and M are coprime, Cooley-Tukey elsewhere.
template <int L>
Signal<L> dft(const Signal<L>& z) {
  constexpr int R = radix(L), M = L / R;
  if constexpr (L == 1) {
    return z;
  } else if constexpr (M == 1) {
    return prime_dft<L>(z);
  } else {
    constexpr bool coprime = std::gcd(R, M) == 1;
    std::array<Signal<R>, M> columns;
    unroll<R>([&](auto r) {
      Signal<M> row;
      unroll<M>([&](auto m) { row[m] = z[coprime ? (M * r + R * m) % L : r + R * m]; });
      row = dft<M>(row);
      unroll<M>([&](auto m) {
        constexpr int turns = coprime ? 0 : r * m;
        columns[m][r] = rotate<L, turns>(row[m]);
      });
    });
    unroll<M>([&](auto m) { columns[m] = dft<R>(columns[m]); });
    Signal<L> out;
    unroll<L>([&](auto k) { out[k] = columns[k % M][coprime ? k % R : k / M]; });
    return out;
  }
}

// ---- Codelets: transforms of `lanes` signals whose elements lie at the given addresses ----

// Codelets need every call inlined to be fast. Under a sanitizer that would only take minutes to
// compile.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EASGD_INLINE_ALL
#else
#define EASGD_INLINE_ALL [[gnu::flatten]]
#endif

/// L complex values at in[2j], in[2j + 1] to their transform. Exchanging the two addresses of every
/// pair, in and out, gives the inverse.
template <int L>
EASGD_INLINE_ALL void complex_forward(const float* const* in, float* const* out, Runs runs) {
  for (int lane = 0; lane < runs.lanes; lane += kLanes) {
    Signal<L> z;
    unroll<L>([&](auto j) {
      z[j] = {load(in[2 * j] + lane, runs.in_ahead), load(in[2 * j + 1] + lane, runs.in_ahead)};
    });
    z = dft<L>(z);
    unroll<L>([&](auto j) {
      store(out[2 * j] + lane, z[j].re, runs.out_ahead);
      store(out[2 * j + 1] + lane, z[j].im, runs.out_ahead);
    });
  }
}

/// L reals to their packed transform, by a complex transform z of half the length.
template <int L>
EASGD_INLINE_ALL void real_forward(const float* const* in, float* const* out, Runs runs) {
  constexpr int half = L / 2;
  for (int lane = 0; lane < runs.lanes; lane += kLanes) {
    Signal<half> z;
    unroll<half>([&](auto j) {
      z[j] = {load(in[2 * j] + lane, runs.in_ahead), load(in[2 * j + 1] + lane, runs.in_ahead)};
    });
    z = dft<half>(z);
    store(out[0] + lane, z[0].re + z[0].im, runs.out_ahead);
    store(out[1] + lane, z[0].re - z[0].im, runs.out_ahead);
    unroll<half / 2>([&](auto j) {
      constexpr int k = j + 1, mirror = half - k;
      const Complex a = z[k], b = z[mirror];
      const Complex even = {a.re + b.re, a.im - b.im};
      const Complex odd = rotate<L, k>({a.im + b.im, b.re - a.re});
      store(out[2 * k] + lane, 0.5f * (even.re + odd.re), runs.out_ahead);
      store(out[2 * k + 1] + lane, 0.5f * (even.im + odd.im), runs.out_ahead);
      store(out[2 * mirror] + lane, 0.5f * (even.re - odd.re), runs.out_ahead);
      store(out[2 * mirror + 1] + lane, 0.5f * (odd.im - even.im), runs.out_ahead);
    });
  }
}

/// The packed transform of L reals to L times the reals.
template <int L>
EASGD_INLINE_ALL void real_inverse(const float* const* in, float* const* out, Runs runs) {
  constexpr int half = L / 2;
  for (int lane = 0; lane < runs.lanes; lane += kLanes) {
    Signal<half> z;  // real and imaginary parts exchanged, to invert by the forward transform
    const Vec first = load(in[0] + lane, runs.in_ahead), middle = load(in[1] + lane, runs.in_ahead);
    z[0] = {first - middle, first + middle};
    unroll<half / 2>([&](auto j) {
      constexpr int k = j + 1, mirror = half - k;
      const Complex a = {load(in[2 * k] + lane, runs.in_ahead),
                         load(in[2 * k + 1] + lane, runs.in_ahead)};
      const Complex b = {load(in[2 * mirror] + lane, runs.in_ahead),
                         load(in[2 * mirror + 1] + lane, runs.in_ahead)};
      const Complex even = {a.im - b.im, a.re + b.re};
      const Complex odd = rotate<L, k>({a.re - b.re, -a.im - b.im});
      z[k] = {even.re + odd.re, even.im + odd.im};
      z[mirror] = {odd.re - even.re, even.im - odd.im};
    });
    z = dft<half>(z);
    unroll<half>([&](auto j) {
      store(out[2 * j] + lane, z[j].im, runs.out_ahead);
      store(out[2 * j + 1] + lane, z[j].re, runs.out_ahead);
    });
  }
}

template <int... L>
constexpr std::array<Dft, sizeof...(L)> make_lengths() {
  return {{{L, complex_forward<L>, real_forward<L>, real_inverse<L>}...}};
}
constexpr auto kLengths = make_lengths<4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, kMaxDftLength>();

}  // namespace
}  // namespace easgd::kernels
