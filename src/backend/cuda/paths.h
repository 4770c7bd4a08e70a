// The ways between devices and host, found by trying: there are drivers and virtual machines that
// report a path between two devices as working, and that send other bits than were given.
#pragma once

#include <vector>

#include "backend/backend_kind.h"

namespace easgd::cuda {

/// BackendKind::measure_paths.
std::vector<DevicePath> measure_paths();
/// BackendKind::open_peer.
bool open_peer(int from, int to);

}  // namespace easgd::cuda
