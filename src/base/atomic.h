// The atomic by which threads hand memory to each other. The suite `proof` compiles the exchange
// against another of the same name, which explores what threads and processors may do.
#pragma once

#include <atomic>

namespace easgd {

template <class T>
using Atomic = std::atomic<T>;

}  // namespace easgd
