// CUDA for generated code on one CPU thread: kernels run block after block, the threads of a block as coroutines
// that take turns at every __syncthreads(). Slow, exact, and enough for GeNN's kernels: no warps, no streams.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __shared__ static
#define __restrict__

using std::max;
using std::min;

struct dim3 {
    unsigned int x, y, z;
    dim3(unsigned int x = 1, unsigned int y = 1, unsigned int z = 1) : x(x), y(y), z(z) {}
};

enum cudaError_t { cudaSuccess = 0 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
enum { cudaHostAllocMapped, cudaHostAllocPortable };
typedef int cudaEvent_t;

inline const char *cudaGetErrorString(cudaError_t) { return "no error"; }
inline cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaEventCreate(cudaEvent_t *) { return cudaSuccess; }
inline cudaError_t cudaEventDestroy(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventRecord(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
inline cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t, cudaEvent_t) { return *ms = 0.0f, cudaSuccess; }
inline cudaError_t cudaMemGetInfo(size_t *free, size_t *total) { return *free = *total = 0, cudaSuccess; }
template <typename T> cudaError_t cudaMalloc(T **pointer, size_t size) {
    *pointer = static_cast<T *>(std::calloc(size, 1));
    return cudaSuccess;
}
template <typename T> cudaError_t cudaHostAlloc(T **pointer, size_t size, int) { return cudaMalloc(pointer, size); }
inline cudaError_t cudaFree(void *pointer) { return std::free(pointer), cudaSuccess; }
inline cudaError_t cudaFreeHost(void *pointer) { return std::free(pointer), cudaSuccess; }
inline cudaError_t cudaMemcpy(void *to, const void *from, size_t size, cudaMemcpyKind) {
    return std::memcpy(to, from, size), cudaSuccess;
}
inline cudaError_t cudaMemset(void *to, int value, size_t size) { return std::memset(to, value, size), cudaSuccess; }
template <typename T>
cudaError_t cudaMemcpyToSymbol(T &symbol, const void *from, size_t size, size_t offset = 0) {
    return std::memcpy(reinterpret_cast<char *>(&symbol) + offset, from, size), cudaSuccess;
}
template <typename T>
cudaError_t cudaMemcpyToSymbolAsync(T &symbol, const void *from, size_t size, size_t offset, cudaMemcpyKind, int = 0) {
    return cudaMemcpyToSymbol(symbol, from, size, offset);
}

template <typename T> T atomicAdd(T *to, T value) {
    const T before = *to;
    *to += value;
    return before;
}
inline unsigned int atomicAdd(unsigned int *to, int value) { return atomicAdd(to, (unsigned int)value); }
template <typename T, typename U> T atomicOr(T *to, U value) {
    const T before = *to;
    *to |= value;
    return before;
}
inline int __clz(unsigned int value) { return value ? __builtin_clz(value) : 32; }

// Hidden: each model has coroutines of its own.
namespace cuda_on_cpu __attribute__((visibility("hidden"))) {
const size_t STACK = 64 * 1024;

struct Coroutine {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(STACK);
    bool ended = false;
};

struct Block {
    dim3 grid, threads, block, thread;
    ucontext_t scheduler;
    std::vector<Coroutine> coroutines;
    std::function<void()> kernel;
    size_t running = 0;
};

inline Block &current() {
    static Block block;
    return block;
}

inline void begin() {
    Block &block = current();
    block.kernel();
    block.coroutines[block.running].ended = true;
    swapcontext(&block.coroutines[block.running].context, &block.scheduler);
}

inline void run_block() {
    Block &block = current();
    const dim3 &size = block.threads;
    const size_t n = (size_t)size.x * size.y * size.z;
    if (block.coroutines.size() < n) {
        block.coroutines.resize(n);
    }
    for (size_t i = 0; i < n; i++) {
        Coroutine &c = block.coroutines[i];
        c.ended = false;
        getcontext(&c.context);
        c.context.uc_stack.ss_sp = c.stack.data();
        c.context.uc_stack.ss_size = c.stack.size();
        c.context.uc_link = nullptr;
        makecontext(&c.context, begin, 0);
    }
    for (bool left = true; left;) {  // all threads to their next barrier, or to their end
        left = false;
        for (size_t i = 0; i < n; i++) {
            if (!block.coroutines[i].ended) {
                block.running = i;
                block.thread = dim3(i % size.x, i / size.x % size.y, i / ((size_t)size.x * size.y));
                swapcontext(&block.scheduler, &block.coroutines[i].context);
                left |= !block.coroutines[i].ended;
            }
        }
    }
}

template <typename... P, typename... A> void launch(void (*kernel)(P...), dim3 grid, dim3 threads, A... arguments) {
    Block &block = current();
    block.grid = grid;
    block.threads = threads;
    block.kernel = [=]() { kernel(arguments...); };
    for (unsigned int z = 0; z < grid.z; z++) {
        for (unsigned int y = 0; y < grid.y; y++) {
            for (unsigned int x = 0; x < grid.x; x++) {
                block.block = dim3(x, y, z);
                run_block();
            }
        }
    }
}
}  // namespace cuda_on_cpu

inline void __syncthreads() {
    cuda_on_cpu::Block &block = cuda_on_cpu::current();
    swapcontext(&block.coroutines[block.running].context, &block.scheduler);
}
#define threadIdx (cuda_on_cpu::current().thread)
#define blockIdx (cuda_on_cpu::current().block)
#define blockDim (cuda_on_cpu::current().threads)
#define gridDim (cuda_on_cpu::current().grid)
