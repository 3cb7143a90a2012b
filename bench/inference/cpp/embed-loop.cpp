// What C++ makes of the same library and model: the least work around llama.cpp that embeds texts.
//
//   embed-loop <model.gguf> <folder of ggml's backends> <threads> <flash attention: on|off> <texts per call>
//
//   standard input ── "<file of texts>[\t<file for vectors>]" ──> N threads ── {"seconds":…} ──> standard output
//
// One mapped model; each thread has a context of its own with one compute thread, takes the next texts from
// a shared counter, tokenizes and decodes them, and copies their vectors, normalised to length 1. One text
// per line. Threads and contexts are made before the clock starts and stay for all commands, so only
// embedding is timed. With several texts per call they are sequences of one batch, as llama.cpp's own
// examples do it.
#include <ggml-backend.h>
#include <llama.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int CONTEXT_TOKENS = 512;

struct Work {
    std::vector<std::string> texts;
    std::vector<float> vectors;
    int dimensions = 0;
    std::atomic<size_t> next{0};
    std::atomic<bool> failed{false};
};

void normalize(const float * from, float * to, int n) {
    double squares = 0;
    for (int i = 0; i < n; i++) squares += double(from[i]) * from[i];
    const float scale = squares > 0 ? float(1 / std::sqrt(squares)) : 0;
    for (int i = 0; i < n; i++) to[i] = from[i] * scale;
}

/** Takes texts until there are none left, `fused` of them per call. */
void embed(llama_context * context, const llama_vocab * vocab, llama_batch & batch, size_t fused, Work & work) {
    std::vector<llama_token> tokens(CONTEXT_TOKENS);
    for (;;) {
        const size_t start = work.next.fetch_add(fused);
        if (start >= work.texts.size()) return;
        const size_t end = std::min(start + fused, work.texts.size());
        batch.n_tokens = 0;
        for (size_t text = start; text < end; text++) {
            const std::string & words = work.texts[text];
            const int count = llama_tokenize(vocab, words.data(), int(words.size()), tokens.data(), CONTEXT_TOKENS, true, false);
            if (count <= 0) {
                work.failed = true;
                return;
            }
            for (int position = 0; position < count; position++) {
                const int at = batch.n_tokens++;
                batch.token[at] = tokens[position];
                batch.pos[at] = position;
                batch.n_seq_id[at] = 1;
                batch.seq_id[at][0] = llama_seq_id(text - start);
                batch.logits[at] = 1;
            }
        }
        if (llama_encode(context, batch) != 0) {
            work.failed = true;
            return;
        }
        for (size_t text = start; text < end; text++) {
            normalize(llama_get_embeddings_seq(context, llama_seq_id(text - start)), &work.vectors[text * work.dimensions], work.dimensions);
        }
    }
}

void quiet(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
}

int fail(const std::string & what) {
    std::cerr << what << std::endl;
    return 1;
}

}  // namespace

int main(int argc, char ** argv) {
    if (argc != 6) return fail("usage: embed-loop <model> <backends> <threads> <on|off> <texts per call>");
    const int threads = std::atoi(argv[3]);
    const bool flash = std::string(argv[4]) == "on";
    const int fused = std::atoi(argv[5]);
    if (threads < 1 || fused < 1) return fail("threads and texts per call must be numbers above zero");

    llama_log_set(quiet, nullptr);
    ggml_backend_load_all_from_path(argv[2]);
    llama_backend_init();
    llama_model_params model_params = llama_model_default_params();
    model_params.n_gpu_layers = 0;
    llama_model * model = llama_model_load_from_file(argv[1], model_params);
    if (model == nullptr) return fail(std::string("cannot load ") + argv[1]);
    const llama_vocab * vocab = llama_model_get_vocab(model);

    std::vector<llama_context *> contexts;
    std::vector<llama_batch> batches;
    for (int thread = 0; thread < threads; thread++) {
        llama_context_params params = llama_context_default_params();
        params.n_ctx = params.n_batch = params.n_ubatch = uint32_t(CONTEXT_TOKENS * fused);
        params.n_seq_max = uint32_t(fused);
        params.n_threads = params.n_threads_batch = 1;
        params.flash_attn_type = flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
        params.embeddings = true;
        params.no_perf = true;
        contexts.push_back(llama_init_from_model(model, params));
        if (contexts.back() == nullptr) return fail("cannot make a context");
        batches.push_back(llama_batch_init(CONTEXT_TOKENS * fused, 0, 1));
    }

    std::cout << "{}" << std::endl;  // It is ready.
    std::string command;
    while (std::getline(std::cin, command)) {
        const size_t tab = command.find('\t');
        Work work;
        work.dimensions = llama_model_n_embd(model);
        std::ifstream file(command.substr(0, tab));
        for (std::string line; std::getline(file, line);) work.texts.push_back(line);
        work.vectors.resize(work.texts.size() * work.dimensions);

        const auto started = std::chrono::steady_clock::now();
        std::vector<std::thread> crew;
        for (int thread = 0; thread < threads; thread++) {
            crew.emplace_back([&, thread] { embed(contexts[thread], vocab, batches[thread], size_t(fused), work); });
        }
        for (std::thread & member : crew) member.join();
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();

        if (work.failed) return fail("a text could not be tokenized or computed");
        if (tab != std::string::npos) {
            std::ofstream out(command.substr(tab + 1), std::ios::binary);
            out.write(reinterpret_cast<const char *>(work.vectors.data()), std::streamsize(work.vectors.size() * sizeof(float)));
        }
        std::cout << "{\"texts\":" << work.texts.size() << ",\"seconds\":" << seconds << "}" << std::endl;
    }
    for (llama_batch & batch : batches) llama_batch_free(batch);
    for (llama_context * context : contexts) llama_free(context);
    llama_model_free(model);
    llama_backend_free();
    return 0;
}
