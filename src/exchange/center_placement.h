// Where the center is, and how letters get there.
#pragma once

#include <string>
#include <vector>

#include "exchange/center_store.h"
#include "exchange/letter_buffer.h"

namespace easgd {

/// In host memory, with one thread.
std::unique_ptr<Backend> make_host_backend();

struct CenterPlacement {
  std::string name = "pinned";  ///< as `center.place` has it
  /// Make the backends of its copies, on the master's thread: one, or one for each worker.
  std::vector<MakeBackend> devices = {make_host_backend};
  std::vector<Route> routes = {};  ///< of each worker; empty: host
  int threads = 1;                 ///< of the host, for each copy in its memory
  std::string remark = {};         ///< what people should know of the choice, or nothing
  MakeCollective collective = {};  ///< adds up over the devices, if there are several
};

}  // namespace easgd
