"""Rendering: loss on the agent's own tokens and on nothing else, by whatever chat template."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from train_parts import TEMPLATES, action, example, renderer_for, tiny_student
from transformers import AutoTokenizer

from agentdistill.config.train import TrainConfig
from agentdistill.errors import DataError
from agentdistill.models import resolve
from agentdistill.train.data.render import Rendered, Renderer
from agentdistill.train.data.tokenizer import load_tokenizer, stop_token_ids
from agentdistill.train.model.tiny import CHATML
from agentdistill.types import Message, Part, PartKind, Role


def trained_text(renderer, sequence: Rendered) -> str:
    ids = [token for token, weight in zip(sequence.token_ids, sequence.weights, strict=True) if weight > 0]
    return renderer.tokenizer.decode(ids)


def by_weight(renderer, sequence: Rendered) -> dict[float, str]:
    """The text of the tokens of each weight."""
    found: dict[float, list[int]] = {}
    for token, weight in zip(sequence.token_ids, sequence.weights, strict=True):
        found.setdefault(weight, []).append(token)
    return {weight: renderer.tokenizer.decode(ids) for weight, ids in found.items() if weight}


@pytest.mark.parametrize("template", ["chatml", "llama", "gemma", "phi"])
def test_the_agents_turns_and_their_end_tokens_are_trained_and_nothing_else(template):
    renderer = renderer_for(template)
    row = example(searches=2)

    (sequence,) = renderer.render(row)

    turns = [message.content for message in row.messages if message.role is Role.ASSISTANT]
    assert trained_text(renderer, sequence) == "".join(turn + TEMPLATES[template][1] for turn in turns)


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_every_trained_turn_stands_behind_the_prompt_that_an_engine_would_see(template):
    renderer = renderer_for(template)
    row = example(searches=2)

    sequences = renderer.render(row)

    for position in [i for i, message in enumerate(row.messages) if message.role is Role.ASSISTANT]:
        prompt = renderer.apply(row.messages[:position], add_generation_prompt=True)
        ids = tuple(renderer.tokenizer(prompt, add_special_tokens=False)["input_ids"])
        assert any(item.token_ids[: len(ids)] == ids and item.weights[len(ids)] > 0 for item in sequences)


def test_a_template_that_rewrites_earlier_turns_gives_one_sequence_a_turn():
    renderer = renderer_for("dropping")

    sequences = renderer.render(example(searches=2))

    assert [sequence.part for sequence in sequences] == [0, 1, 2]
    assert trained_text(renderer, sequences[2]) == action("Now I know.", "final_answer(0)") + "<|im_end|>"


#: Published chat templates, as a package carries them: end-of-turn token, sequences of an example of three turns.
PUBLISHED = {
    "qwen2_5": ("<|im_end|>", 1),
    "llama3_2": ("<|eot_id|>", 1),
    "phi3": ("<|end|>", 1),  # ends every conversation with a token of its own
    "gemma3": ("<end_of_turn>", 1),  # has no system role: its text goes in front of the question
    "qwen3": ("<|im_end|>", 3),  # drops the reasoning of earlier turns
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_published_templates_train_the_agents_turns_and_their_end_tokens(name):
    package = find_spec("trl")
    if package is None:
        pytest.skip("trl, which carries these templates, is not installed")
    tokenizer = AutoTokenizer.from_pretrained(tiny_student())
    tokenizer.chat_template = (Path(package.submodule_search_locations[0]) / f"chat_templates/{name}.jinja").read_text()
    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    end_token, num_sequences = PUBLISHED[name]
    renderer = Renderer(tokenizer, frozenset(tokenizer.convert_tokens_to_ids([end_token, "</s>"])))
    row = example(searches=2)

    sequences = renderer.render(row)

    turns = [message.content + end_token for message in row.messages if message.role is Role.ASSISTANT]
    trained = [trained_text(renderer, sequence) for sequence in sequences]
    assert len(sequences) == num_sequences
    if num_sequences == 1:
        assert trained == ["".join(turns)]
    else:
        assert [text.removeprefix("<think>\n\n</think>\n\n") for text in trained] == turns
    assert "Act with code." in tokenizer.decode(sequences[0].token_ids)


@pytest.mark.slow  # the first use assembles the student
def test_the_packaged_student_renders_with_its_own_tokenizer():
    folder = resolve("smollm2-135m")
    tokenizer = load_tokenizer(folder)
    renderer = Renderer(tokenizer, stop_token_ids(folder, tokenizer))
    row = example(searches=2)

    (sequence,) = renderer.render(row)

    turns = [message.content for message in row.messages if message.role is Role.ASSISTANT]
    assert trained_text(renderer, sequence) == "".join(f"{turn}<|im_end|>" for turn in turns)


def test_a_sequence_ends_with_its_last_trained_token():
    (sequence,) = renderer_for("chatml").render(example())

    assert sequence.weights[-1] == 1.0


def test_a_chain_of_thought_is_one_turn_on_the_same_path():
    renderer = renderer_for("chatml")
    messages = (Message(Role.USER, "Passages: a b c\nQuestion?"), Message(Role.ASSISTANT, "Because. The answer is 3."))

    (sequence,) = renderer.render(example(messages=messages, failed_steps=(False,)))

    assert trained_text(renderer, sequence) == "Because. The answer is 3.<|im_end|>"


def test_failed_actions_can_be_left_out_of_the_loss():
    renderer = renderer_for("chatml", TrainConfig(mask_failed_actions=True))

    (sequence,) = renderer.render(example(searches=1, failed_steps=(True, False)))

    assert trained_text(renderer, sequence) == action("Now I know.", "final_answer(0)") + "<|im_end|>"


def test_failed_actions_are_trained_on_unless_told_otherwise():
    renderer = renderer_for("chatml")

    (sequence,) = renderer.render(example(searches=1, failed_steps=(True, False)))

    assert "I look 0." in trained_text(renderer, sequence)


def test_the_first_thought_prefix_can_be_left_out_of_the_loss():
    renderer = renderer_for("chatml", TrainConfig(train_on_prefix=False))
    prefix = "Thought: I look"

    (sequence,) = renderer.render(example(searches=1, prefix_chars=len(prefix)))

    assert trained_text(renderer, sequence).startswith(" 0.\nCode:")


def test_thought_code_and_final_answer_have_weights_of_their_own():
    options = TrainConfig(thought_weight=0.25, code_weight=0.5, final_weight=2.0)
    renderer = renderer_for("chatml", options)

    (sequence,) = renderer.render(example(searches=1))

    texts = by_weight(renderer, sequence)
    assert texts[0.25] == "Thought: I look 0.Thought: Now I know."
    assert texts[0.5] == "\nCode:\n```py\nprint(search('town 0'))\n```<end_code>"
    assert texts[2.0] == "\nCode:\n```py\nfinal_answer(0)\n```<end_code>"
    assert texts[1.0] == "<|im_end|>" * 2


def test_parts_keep_their_weights_where_the_template_strips_white_space_around_the_text():
    renderer = renderer_for("llama", TrainConfig(thought_weight=0.25, code_weight=0.5))
    parts = (Part(PartKind.THOUGHT, 3, 5), Part(PartKind.CODE, 5, 11))
    messages = (Message(Role.USER, "Hi"), Message(Role.ASSISTANT, "  \nab1+1  \n"))

    (sequence,) = renderer.render(example(messages=messages, failed_steps=(), parts=(parts,)))

    assert by_weight(renderer, sequence) == {0.25: "ab", 0.5: "1+1", 1.0: "<|eot_id|>"}


def test_an_example_without_parts_is_trained_on_as_one_thought():
    renderer = renderer_for("chatml")
    row = example(searches=1)

    assert renderer.render(replace(row, parts=())) == renderer.render(row)


@pytest.mark.parametrize("name", ["thought_weight", "code_weight", "final_weight"])
def test_an_example_without_parts_is_refused_where_parts_weigh_differently(name):
    renderer = renderer_for("chatml", TrainConfig(**{name: 0.5}))

    with pytest.raises(DataError, match=r"example-0: it says nothing of its parts, expected a training set made by"):
        renderer.render(example(parts=()))


def test_parts_of_the_wrong_length_are_refused():
    with pytest.raises(DataError, match=r"example-0: parts has 1 entries, expected one for each of its 2"):
        renderer_for("chatml").render(example(searches=1, parts=((),)))


def test_parts_outside_their_message_are_refused():
    parts = ((), (Part(PartKind.CODE, 0, 10_000),))

    with pytest.raises(DataError, match=r"example-0: of assistant message 2, code \[0, 10000\) does not lie within"):
        renderer_for("chatml").render(example(searches=1, parts=parts))


def test_an_example_without_a_trained_token_is_refused_by_name():
    renderer = renderer_for("chatml", TrainConfig(mask_failed_actions=True))

    with pytest.raises(DataError, match=r"example-0: no token is trained"):
        renderer.render(example(searches=0, failed_steps=(True,)))


def test_a_template_without_an_end_token_is_refused():
    renderer = renderer_for("chatml")
    renderer.tokenizer.chat_template = CHATML.replace("<|im_end|>", "")

    try:
        with pytest.raises(DataError, match=r"no end-of-turn token .* would not learn to stop"):
            renderer.render(example())
    finally:
        renderer.tokenizer.chat_template = CHATML


def test_a_turn_whose_start_merges_with_its_prompt_is_refused():
    renderer = renderer_for("chatml")
    messages = (Message(Role.USER, "Hi"), Message(Role.ASSISTANT, "\nThought: none"))

    with pytest.raises(DataError, match=r"tokenizing the prompt of assistant turn 1 alone gives '\\n'"):
        renderer.render(example(messages=messages, failed_steps=()))


def test_an_end_token_within_the_agents_text_is_refused():
    messages = (Message(Role.USER, "Hi"), Message(Role.ASSISTANT, "a <|im_end|> b"))

    with pytest.raises(DataError, match="within its own text"):
        renderer_for("chatml").render(example(messages=messages, failed_steps=()))


def test_a_generation_prompt_that_finished_turns_lack_is_refused():
    renderer = renderer_for("chatml")
    renderer.tokenizer.chat_template = CHATML.replace("assistant\n' }}", "assistant\n<think>' }}")

    try:
        with pytest.raises(DataError, match="does not put the generation prompt in front"):
            renderer.render(example())
    finally:
        renderer.tokenizer.chat_template = CHATML


def test_a_template_that_takes_no_system_message_is_refused():
    renderer = renderer_for("chatml")
    refusal = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    renderer.tokenizer.chat_template = refusal + CHATML

    try:
        with pytest.raises(
            DataError, match=r"example-0: the chat template refuses a conversation of system, user.*not supported"
        ):
            renderer.render(example())
    finally:
        renderer.tokenizer.chat_template = CHATML


def test_an_example_without_an_assistant_message_is_refused():
    with pytest.raises(DataError, match="no assistant message"):
        renderer_for("chatml").render(example(messages=(Message(Role.USER, "Hi"),), failed_steps=()))


def test_failed_steps_of_the_wrong_length_are_refused():
    with pytest.raises(DataError, match=r"failed_steps has 1 entries, expected one for each of its 2"):
        renderer_for("chatml").render(example(searches=1, failed_steps=(True,)))


def test_a_template_that_rewrites_the_text_trains_the_whole_turn_as_it_shows_it():
    renderer = renderer_for("chatml")
    renderer.tokenizer.chat_template = CHATML.replace("message['content'] +", "message['content'] | upper +")

    try:
        (sequence,) = renderer.render(example(searches=0))
        assert trained_text(renderer, sequence) == action("Now I know.", "final_answer(0)").upper() + "<|im_end|>"
        with pytest.raises(DataError, match="the chat template rewrites the text of assistant turn 1"):
            Renderer(renderer.tokenizer, renderer.stop_ids, TrainConfig(code_weight=0.5)).render(example(searches=0))
    finally:
        renderer.tokenizer.chat_template = CHATML
