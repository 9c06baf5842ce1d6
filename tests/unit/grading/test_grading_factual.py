import pytest

from agentdistill.grading.factual import exact_match, f1, factual_answer, normalize


@pytest.mark.parametrize(
    ("prediction", "answer"),
    [
        ("The Beatles", "beatles"),
        ("  an   Apple. ", "apple"),
        ("New York City", "new york city!"),
        ("Cahiers du Cinéma", "Cahiers du cinéma"),
        ('"Thriller"', "“Thriller”"),
        ("10,000", "10000"),
        ("Yes.", "yes"),
        ("J. R. R. Tolkien", "J R R Tolkien"),
        ("(A)", "A"),
        ("A.", "A"),
        ("a", "A"),
        ("A", "(A)"),
        ("**A**", "A"),
        ("(the)", "The"),
        ("Jean‐Luc", "Jean-Luc"),
        ("Jean‑Luc", "Jean-Luc"),
        ("1914−1918", "1914-1918"),
        ("1914–1918", "1914-1918"),
        ("O’Neill", "O'Neill"),
        ("OʼNeill", "O'Neill"),
        ("Hawaiʻi", "Hawai'i"),
        ("「千と千尋」", "千と千尋"),
        ("《Hamlet》", "Hamlet"),
        ("„Faust‟", '"Faust"'),
        ("‹Faust›", "Faust"),
        ("5′ 6″", "5' 6\""),
        ("New\u200bYork", "NewYork"),
        ("\ufeffParis\u200e", "Paris"),
        ("co\u00adoperate", "cooperate"),
        ("Ｔｏｋｙｏ", "Tokyo"),
        ("ﬁsh", "fish"),
    ],
)
def test_same_words_match(prediction, answer):
    assert exact_match(prediction, (answer,))


@pytest.mark.parametrize(
    ("prediction", "answer"),
    [
        ("Paris, France", "Paris"),
        ("no", "yes"),
        ("1,000", "10000"),
        ("", "the"),
        ("the", "a"),
        ("Nixon", "Richard Nixon"),
        ("B", "A"),
        ("(B)", "A"),
        ("an", "A"),
        ("A or B", "A"),
        ("A B", "A"),
        ("?", "A"),
        ("1914–1919", "1914-1918"),
        ("O’Neal", "O'Neill"),
        ("café", "cafe"),
        ("東京都", "東京"),
        ("50", "50 km"),
    ],
)
def test_other_words_do_not_match(prediction, answer):
    assert not exact_match(prediction, (answer,))


def test_any_alias_matches():
    assert exact_match("USA", ("United States", "USA", "U.S."))


def test_answer_of_articles_alone_matches_itself():
    assert exact_match("The The", ("The The",))


def test_f1_is_the_best_over_the_answers():
    assert f1("Richard Nixon", ("President Richard Milhous Nixon", "Richard Nixon")) == 1.0
    assert f1("the president Nixon", ("Richard Nixon",)) == pytest.approx(0.5)


def test_f1_counts_a_repeated_word_once():
    assert f1("Nixon Nixon", ("Nixon",)) == pytest.approx(2 / 3)


def test_yes_or_no_gives_no_part_of_a_point():
    assert f1("yes it is", ("yes",)) == 0.0


def test_f1_of_nothing_is_zero():
    assert f1("", ("Nixon",)) == f1("the", ("Nixon",)) == 0.0


def test_normalization_is_idempotent():
    text = "The  “Quick”, brown-fox’s  (an) END."
    assert normalize(normalize(text)) == normalize(text)


def test_answer_of_a_chain_of_thought_is_in_its_last_box():
    assert factual_answer("It was \\boxed{Ford}, no:\nAnswer: \\boxed{\\text{Richard Nixon}}") == "Richard Nixon"
    assert factual_answer("Richard Nixon") == "Richard Nixon"
