import re
from itertools import pairwise

import pytest

from agentdistill.tasks.world import corpus, questions
from agentdistill.tasks.world.asking import TEMPLATES
from agentdistill.tasks.world.expert import WRONG_TURN_SHARE, expert
from agentdistill.tasks.world.facts import world
from agentdistill.types import Kind, Message, Role

TITLES = {row.title: row.text for row in corpus()}
SYSTEM = Message(Role.SYSTEM, "Write a Thought and Code:. Call search(query) and final_answer(x).")


def search(query):
    """The passage whose title the query names last, and one that was not asked for."""
    name = re.sub(r"^(about|population of) ", "", query)
    texts = {title: TITLES[title] for title in (name, "Norway") if title in TITLES}
    return "\n\n".join(f"Doc {i} (Title: {title})\n{text}" for i, (title, text) in enumerate(texts.items(), 1))


def run_episode(question, seed=0, find=search, max_steps=5):
    """The conversation and the answer. The expert's code is the project's own, so it may run here."""
    messages, answers, printed = [SYSTEM, Message(Role.USER, question.text)], [], []
    names = {"search": find, "final_answer": answers.append, "print": lambda text: printed.append(str(text))}
    for _ in range(max_steps):
        turn = expert(messages, seed)
        code = re.fullmatch(r"Thought: .+\nCode:\n```py\n(.+)\n```<end_code>", turn, re.DOTALL)[1]
        printed.clear()
        try:
            exec(code, names)
        except (NameError, TypeError) as error:
            printed.append(f"{type(error).__name__}: {error}")
        messages.append(Message(Role.ASSISTANT, turn))
        if answers:
            return messages, str(answers[0])
        messages.append(Message(Role.USER, "Observation:\n" + "\n".join(printed)))
    return messages, None


def num_turns(messages):
    return sum(message.role is Role.ASSISTANT for message in messages)


def entities(split):
    """Every country, and by it every city, that stands in a question of the split or is needed to answer one."""
    facts, found = world(), set()
    for question in questions(split):
        for name in question.metadata["entities"].split("; "):
            country = facts.countries[name] if name in facts.countries else facts.countries[facts.cities[name].country]
            found |= {country.title, country.capital, name}
    return found


def test_corpus_has_a_passage_a_country_and_city_with_its_own_title_and_id():
    rows = list(corpus())
    assert 3_000 <= len(rows) <= 4_000
    assert len({row.title for row in rows}) == len({row.id for row in rows}) == len(rows)


def test_passages_are_ascii_and_their_numbers_are_plain():
    assert all(row.text.isascii() and not re.search(r"\d[,_]\d", row.text) for row in corpus())


def test_cities_of_one_name_are_told_apart_by_country():
    assert TITLES["Valencia (Venezuela)"] != TITLES["Valencia (Spain)"]
    assert "Valencia" not in TITLES


def test_enough_questions_of_every_template():
    for split, at_least in (("train", 400), ("test", 120)):
        found = questions(split)
        assert len(found) >= at_least
        templates = [question.metadata["template"] for question in found]
        assert min(templates.count(template) for template in set(templates)) >= 40


def test_most_questions_chain_two_searches():
    found = questions("test", 100)
    assert sum(question.metadata["hops"] == "chained" for question in found) >= 50


def test_no_test_entity_stands_in_a_training_question():
    assert not entities("train") & entities("test")


def test_questions_are_the_same_again_and_others_with_another_seed():
    assert questions("train", 20, 1) == questions("train", 20, 1)
    assert questions("train", 20, 1) != questions("train", 20, 2)


def test_a_limit_takes_from_every_template_alike():
    templates = [question.metadata["template"] for question in questions("test", 50)]
    assert {templates.count(template) for template in set(templates)} == {10}


def test_ids_are_unique_and_answers_are_numbers():
    found = questions("train") + questions("test")
    assert len({question.id for question in found}) == len(found)
    assert all(question.kind is Kind.MATH and float(question.answers[0]) >= 0 for question in found)


@pytest.mark.parametrize("split", ["train", "test"])
def test_expert_answers_every_question_from_observations(split):
    for question in questions(split):
        messages, answer = run_episode(question)
        assert answer == question.answers[0]
        assert 3 <= num_turns(messages) <= 4


def test_expert_says_in_every_thought_what_it_is_after():
    aims = {}
    for question in questions("train"):
        messages, _ = run_episode(question)
        turns = [message.content for message in messages if message.role is Role.ASSISTANT]
        (aim,) = {re.match(r"Thought: For the (\w+): ", turn)[1] for turn in turns}
        aims.setdefault(question.id.split("-")[2], set()).add(aim)
    assert sorted(aims) == sorted(TEMPLATES)
    assert len(set().union(*aims.values())) == len(aims), "no two templates have the same aim"


def test_expert_goes_wrong_now_and_then_and_recovers():
    episodes = [run_episode(question, seed) for seed in (0, 1) for question in questions("train")]
    share = sum(num_turns(messages) == 4 for messages, _ in episodes) / len(episodes)
    assert share == pytest.approx(WRONG_TURN_SHARE, abs=0.02)
    text = "\n".join(message.content for messages, _ in episodes for message in messages)
    assert "TypeError" in text
    assert "NameError" in text


def test_expert_states_no_fact_that_no_observation_held():
    for question in questions("test", 40):
        messages, _ = run_episode(question)
        seen = question.text
        for before, after in pairwise(messages[1:]):
            seen += before.content
            if after.role is Role.ASSISTANT:
                assert set(re.findall(r"\d{3,}", after.content)) <= set(re.findall(r"\d{3,}", seen))


def test_expert_asks_again_and_gives_up_where_nothing_is_found():
    question = questions("test", 1)[0]
    messages, answer = run_episode(question, find=lambda query: TITLES["Norway"])
    assert answer == "unknown"
    assert num_turns(messages) == 3


def test_expert_is_a_function_of_messages_and_seed():
    question = questions("train", 1)[0]
    assert run_episode(question, 7) == run_episode(question, 7)


def test_expert_continues_a_thought_that_was_begun():
    question = questions("train", 1)[0]
    messages = [SYSTEM, Message(Role.USER, question.text), Message(Role.ASSISTANT, "Thought: First I look around.")]
    assert re.fullmatch(r" For the \w+: I need .+\nCode:\n```py\n.+\n```<end_code>", expert(messages, 0), re.DOTALL)


def test_expert_reasons_in_prose_where_no_code_is_asked_for():
    for question in questions("test", 10):
        messages = [Message(Role.SYSTEM, "Think step by step."), Message(Role.USER, question.text)]
        first, _, rest = expert(messages, 0).partition("\n\n")
        assert rest
        assert "```" not in first
        assert any(name in first for name in question.metadata["entities"].split("; "))


def test_expert_gives_up_on_a_question_of_another_form():
    messages = [SYSTEM, Message(Role.USER, "Who wrote Faust?")]
    assert 'final_answer("unknown")' in expert(messages, 0)
