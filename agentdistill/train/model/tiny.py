"""A student of a few hundred kilobytes with random weights: tests, benchmarks and dry runs train it in seconds."""

from __future__ import annotations

from pathlib import Path

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tiny_student(
    folder: Path,
    *,
    template: str | None = CHATML,
    end_token: str = "<|im_end|>",
    hidden: int = 32,
    layers: int = 2,
    embedding_rows: int | None = None,
    tied: bool = True,
    seed: int = 0,
) -> str:
    """Write a byte-level tokenizer and a random Llama to `folder`; returns it as a string.

    `template` None leaves the tokenizer without a chat template.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    specials = [
        "<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
        "<start_of_turn>", "<end_of_turn>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>",
    ]  # fmt: skip
    vocabulary = {token: index for index, token in enumerate([*specials, *alphabet])}
    # One merge, so that text can be tokenized in more than one way.
    newlines = "Ċ" + "Ċ"
    vocabulary[newlines] = len(vocabulary)
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[("Ċ", "Ċ")]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=end_token,
        pad_token="<pad>",
        additional_special_tokens=[token for token in specials if token not in (end_token, "<pad>")],
    )
    tokenizer.chat_template = template
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=embedding_rows or len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=16_384,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=vocabulary[end_token],
        pad_token_id=vocabulary["<pad>"],
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    return str(folder)
