// Marks a function that runs on the host and on a CUDA device.
#pragma once

#ifdef __CUDACC__
#define EASGD_HD __host__ __device__
#else
#define EASGD_HD
#endif
