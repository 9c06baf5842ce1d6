"""Rules of the field with their neighbours: a gold answer, spellings that keep its value, near misses that do not.

Written from what the notation means, not from what a library does. Each line of `RULES` is gold, right, wrong.
"""

from grading_code_rules import PYTHON, RELATIONS

SCALES = [
    (
        "4.2 million",
        [
            "4200000",
            "4,200,000",
            "4.2 \\text{ million}",
            "4.2\\times 10^6",
            "$4.2$ million",
            "The firm sold 4.2 million of them.",
        ],
        [
            "4.2 billion",
            "4.2",
            "42 million",
            "The firm sold 4.2 billion of them.",
            "4.2 thousand",
            "4.2 million million",
        ],
    ),
    (
        "10",
        ["10.0", "10 people"],
        ["10 thousand", "There are 10 thousand of them", "10 hundred", "10 million", "10 dozen", "10\\text{ thousand}"],
    ),
    (
        "10 thousand",
        ["10,000", "10000", "10^4", "10 \\mathrm{~thousand}"],
        ["10", "1000", "100 thousand", "10 million"],
    ),
    (
        "2.5 \\text{ million}",
        ["2.5 million", "2500000", "2.5 million people", "\\$2.5 million"],
        ["2.5", "2.6 million", "25 million"],
    ),
    ("\\$3 billion", ["$3 billion", "3,000,000,000", "3 billion dollars"], ["$3 million", "$3", "\\$30 billion"]),
    ("1.5 trillion", ["1500 billion", "1.5e12"], ["1.5 billion", "1.5 quadrillion"]),
    ("36", ["3 dozen"], ["3", "4 dozen"]),
]

UNITS = [
    (
        "5 ft 6 in",
        ["5 feet 6 inches", "5\\text{ ft }6\\text{ in}", "5'6\"", "66 inches"],
        ["56", "11", "5 ft 7 in", "6 ft 5 in", "5 6", "30", "5 ft", "6 in"],
    ),
    (
        "2 hours 30 minutes",
        ["2 h 30 min", "2 hours and 30 minutes", "150 minutes", "2.5 hours"],
        ["230", "2 hours 13 minutes", "30 hours 2 minutes", "60", "2 minutes 30 seconds", "150 hours"],
    ),
    (
        "8\\text{ cm}",
        ["8", "8 cm", "8 centimeters", "80 mm", "8\\,\\mathrm{cm}"],
        ["8 km", "8 m", "80", "0.8 cm", "80 cm"],
    ),
    ("90 \\text{ minutes}", ["90", "1.5 hours", "90 min"], ["90 hours", "90 seconds", "1.5 minutes"]),
    ("12 \\text{ square inches}", ["12", "12 in^2", "12\\text{ in}^2"], ["21", "12^2"]),
    ("60 \\text{ km/h}", ["60", "60 km/h", "60 kilometers per hour"], ["6", "-60"]),
    ("3 lb 4 oz", ["3 pounds 4 ounces", "52 oz"], ["34", "7", "3 lb 5 oz", "12"]),
    (
        "5",
        ["5 apples", "5 meters", "5\\text{ cats}", "5 \\mathrm{m}", "5 km"],
        ["5x", "5 \\pi", "5e", "5i", "5\\mathrm{e}"],
    ),
]

MONEY = [
    (
        "\\$0.50",
        ["50 cents", "$0.5", "50\\text{ cents}", "0.50 dollars", "50¢", "0.5"],
        ["$50", "5 cents", "50 dollars", "0.50 cents"],
    ),
    ("50 \\text{ cents}", ["50", "$0.50", "50¢", "\\$.50"], ["$50", "$5", "5", "50 dollars"]),
    (
        "\\$1,250",
        ["1250", "$1,250.00", "1250 dollars", "USD 1250", "1,250 USD"],
        ["$1,250.01", "125", "$1.25", "-1250"],
    ),
    ("-\\$5", ["-5", "$-5", "-$5"], ["5", "$5"]),
    ("€12", ["12 euros", "12", "€12.00"], ["1.2", "€21"]),
]

CONSTANTS = [
    ("2\\mathrm{e}", ["2e", "2*E", "2\\text{e}", "2\\exp(1)"], ["2", "e", "2e^2", "e^2"]),
    (
        "2 - \\frac{3}{\\mathrm{e}}",
        ["2 - 3/e", "2 - 3*exp(-1)", "2 - 3 \\mathrm{e}^{-1}", "2-\\frac{3}{e}"],
        ["2 + \\frac{3}{e}", "2", "2 - \\frac{3}{e^2}", "-1"],
    ),
    ("3\\mathrm{i}", ["3i", "3*I", "3j", "3\\mathbf{i}"], ["3", "-3i", "i"]),
    (
        "2\\mathbf{a}+3\\mathbf{b}",
        ["2a+3b", "3\\mathbf{b} + 2\\mathbf{a}", "2\\vec{a}+3\\vec{b}", "2\\boldsymbol{a}+3\\boldsymbol{b}"],
        ["3\\mathbf{a}+2\\mathbf{b}", "2\\mathbf{a}-3\\mathbf{b}", "5", "2+3", "2\\mathbf{a}+3\\mathbf{c}"],
    ),
    ("3\\mathbf{i}+2\\mathbf{j}", ["3i+2j", "2\\hat{j}+3\\hat{i}"], ["2\\mathbf{i}+3\\mathbf{j}", "5i", "3i-2j"]),
    ("\\mathrm{e}^{2}", ["e^2", "exp(2)"], ["e", "2", "2e"]),
]

SPACES = [
    ("12", ["12", "\\,12\\,"], ["1 2", "1\\ 2", "1, 2", "2 1"]),
    ("1 000 000", ["1000000", "1,000,000", "1\\,000\\,000"], ["100000", "1 000 00"]),
    ("(2 1/3, 5)", ["(7/3, 5)", "(2\\frac{1}{3}, 5)"], ["(21/3, 5)", "(2/3, 5)", "(2, 1/3, 5)", "(7, 5)"]),
    ("2 1/3", ["7/3", "2\\frac13"], ["21/3", "7", "2/3", "2 1/4"]),
    ("\\frac{12}{5}", ["12/5"], ["1 2/5", "\\frac{1 2}{5}", "\\frac{5}{12}"]),
    ("3\\sqrt{2}", ["3 \\sqrt{2}", "3 * sqrt( 2 )"], ["\\sqrt[3]{2}", "32", "3 2"]),
]

RATIOS = [
    ("3:4:5", ["3 : 4 : 5", "6:8:10", "3\\colon 4\\colon 5"], ["3:5:4", "5:4:3", "3:4", "345", "3:4:6", "12"]),
    ("3:4", ["3 : 4", "6:8", "3 to 4", "3/4", "0.75", "\\frac{3}{4}"], ["4:3", "4/3", "3", "34", "3:5"]),
    ("2:\\sqrt{3}", ["2\\sqrt{3}:3", "2 : sqrt(3)"], ["\\sqrt{3}:2", "2:3"]),
    ("3:45", ["3:45 PM", "3:45 p.m."], ["1:15", "3:54", "345", "4:45"]),
    ("3:45 \\text{ PM}", ["3:45 pm", "3:45"], ["3:45 AM", "3:45 a.m.", "2:45 pm"]),
]

HEDGES = [
    (
        "5",
        ["\\boxed{5}", "The answer is 5."],
        [
            "5 or 6",
            "6 or 5",
            "either 5 or 6",
            "The answer is 5 or 6.",
            "It is 6 or 5",
            "It must be 4 or 5",
            "5 \\text{ or } 6",
            "\\boxed{4} or \\boxed{5}",
            "5, 6",
            "not 5",
            "It is certainly not 5",
            "It is at least 5",
            "5 \\pm 1",
        ],
    ),
    ("\\text{A}", ["A", "(A)"], ["A or B", "B or A", "A, B", "(A) or (B)", "AB"]),
    (
        "3, -3",
        ["\\boxed{3} and \\boxed{-3}", "3 or -3", "\\pm 3", "x = 3 or x = -3"],
        ["3", "-3", "\\boxed{3}", "3, 3"],
    ),
]

TEXT = [
    (
        "91",
        [
            "**91**",
            "The answer is **91**.",
            "### 91",
            "`91`",
            "**Answer:** 91",
            "*91*",
            "__91__",
            "**Answer: 91**",
            "```\n91\n```",
            "## Answer\n\n91",
            "Final answer: `91`",
        ],
        ["**19**", "### 19", "The answer is **19**.", "`9`", "9**1"],
    ),
    (
        "18",
        [
            "3 * 6 = 18\n#### 18",
            "So it is 18.\n#### 18\n",
            "####18",
            "答案：18",
            "答案是18",
            "答案为 18。",
            "Answer: 18",
            "Respuesta: 18",
            "La réponse est 18",
            "Antwort: 18",
            "Ответ: 18",
            "１８",
            "答え：１８",
        ],
        ["3 * 6 = 18\n#### 19", "答案：81", "１９", "Respuesta: 17"],
    ),
    (
        "Natalia sold 48/2 = <<48/2=24>>24 clips.\n#### 72",
        ["72", "#### 72", "So 24 + 48 = 72\n#### 72"],
        ["24", "#### 24", "48"],
    ),
    ("25\\%", ["25％", "２５％", "25%", "25 percent", "0.25"], ["52％", "2.5%", "0.025"]),
    (
        "\\text{(A)}",
        [
            "\\textbf{(A)}\\ 12",
            "A",
            "(A)",
            "**A**",
            "A.",
            "a",
            "A)",
            "\\mathrm{A}",
            "\\textbf{A}",
            "Option A",
            "(A) 12",
        ],
        ["\\textbf{(B)}\\ 12", "B", "(B)", "12", "Option B", "AB"],
    ),
    ("A", ["\\textbf{(A)}\\ 12", "(A)", "\\text{(A)}", "A. 12"], ["\\textbf{(B)}\\ 12", "(B) A", "E"]),
    ("\\textbf{(C)}\\ 12", ["C", "(C)", "\\textbf{(C)} 12", "12"], ["D", "\\textbf{(D)}\\ 12", "13", "(B) 12"]),
]

SYMBOLS = [
    ("100000", ["10⁵", "10^5", "10^{5}", "１０⁵"], ["10⁶", "10⁻⁵", "105", "10*5"]),
    ("\\sqrt{2}", ["√2", "√(2)", "√{2}", "2^½"], ["√3", "2", "-√2", "√2/2"]),
    ("3\\sqrt{12}", ["3√12", "6√3", "3·√12"], ["3√1", "√12", "3√2"]),
    ("\\frac{1}{2}", ["½", "2/4", "1⁄2"], ["¼", "⅓", "1½", "-½"]),
    ("2\\frac{3}{4}", ["2¾", "11/4", "2.75"], ["¾", "2¼", "23/4", "3/2"]),
    ("x^{10}", ["x¹⁰", "x**10"], ["x^1 0", "x¹", "10x"]),
    ("-3", ["−3", "–3", "‐3", "‑3", "－3", "\u200b-3", "-3\ufeff"], ["3", "—", "+3"]),
    ("\\sqrt[3]{5}", ["∛5", "5^{1/3}"], ["√5", "5/3", "3√5"]),
    ("x_1 + x_2", ["x₁ + x₂", "x_{1}+x_{2}"], ["x₁ - x₂", "x_1 + x_3"]),
    ("\\theta", ["θ", "\\theta"], ["\\phi", "φ"]),
    ("3 \\cdot 4", ["12", "3⋅4", "3×4", "3 ∗ 4"], ["34", "3+4", "7"]),
]

DECIMALS = [
    (
        "\\frac{1}{3}",
        ["0.(3)", "0.\\dot{3}", "0.\\overline{3}", "0.\\bar{3}", "0.333\\ldots", "0.333...", "0.3333…"],
        ["0.(6)", "0.3", "0.33", "0.\\dot{4}", "0.0(3)", "0.3(4)"],
    ),
    (
        "\\frac{1}{6}",
        ["0.1(6)", "0.1\\dot{6}", "0.1\\overline{6}", "0.1666..."],
        ["0.(16)", "0.1(5)", "0.16", "0.\\dot{1}\\dot{6}"],
    ),
    (
        "\\frac{1}{7}",
        ["0.(142857)", "0.\\dot{1}4285\\dot{7}", "0.\\overline{142857}"],
        ["0.14285", "0.(142856)", "0.\\dot{1}\\dot{7}"],
    ),
    ("0.\\overline{27}", ["3/11", "0.(27)", "0.\\dot{2}\\dot{7}", "0.272727..."], ["0.27", "27/100", "0.2(7)"]),
    ("-0.(3)", ["-1/3", "-\\frac{1}{3}"], ["1/3", "-0.3"]),
]

BASES = [
    (
        "1010_2",
        [
            "1010_{2}",
            "1010_{two}",
            "(1010)_2",
            "1010₂",
            "1010_{(2)}",
            "1010_\\text{two}",
            "1010 base 2",
            "1010 (base 2)",
        ],
        ["1010_3", "1010_{three}", "1011_2", "10_2", "1010 base 8"],
    ),
    (
        "4343_{6}",
        ["4343_{\\text{six}}", "4343_\\text{six}", "4343_6", "4343"],
        ["4343_{\\text{seven}}", "4343_5", "3434_6"],
    ),
    ("\\text{A5}_{11}", ["A5_{11}", "\\text{A5}_{11}", "A5"], ["\\text{A5}_{21}", "\\text{A6}_{11}", "A5_{12}"]),
    ("A1F_{16}", ["A1F_{16}", "A1F", "A1F_{\\text{16}}"], ["A1E_{16}", "A1F_{15}"]),
    (
        "\\binom{5}{2}",
        ["{5 \\choose 2}", "10", "\\dbinom52", "5!/(2!3!)", "binomial(5, 2)", "comb(5, 2)"],
        ["{5 \\choose 1}", "\\frac{5}{2}", "{2 \\choose 5}"],
    ),
    ("\\frac{3}{7}", ["{3 \\over 7}", "3/7"], ["{7 \\over 3}", "37"]),
]

RULES = [
    *SCALES,
    *UNITS,
    *MONEY,
    *CONSTANTS,
    *SPACES,
    *RATIOS,
    *HEDGES,
    *PYTHON,
    *RELATIONS,
    *TEXT,
    *SYMBOLS,
    *DECIMALS,
    *BASES,
]
RIGHT = [(gold, prediction) for gold, right, _ in RULES for prediction in right]
WRONG = [(gold, prediction) for gold, _, wrong in RULES for prediction in wrong]
GOLDS = [gold for gold, _, _ in RULES]
