"""The rows of `grading_rules` for what Python, NumPy and sympy print, and for relations."""

PYTHON = [
    (
        "[3, 4]",
        [
            "[np.int64(3), np.int64(4)]",
            "[3 4]",
            "array([3, 4])",
            "np.array([3, 4])",
            "array([3., 4.])",
            "['3', '4']",
            "[Fraction(3, 1), Fraction(4, 1)]",
            "[Decimal('3'), Decimal('4.0')]",
        ],
        ["[np.int64(3), np.int64(5)]", "[34]", "[3 4 5]", "array([4, 5])", "[Fraction(3, 4)]", "['34']", "12", "7"],
    ),
    (
        "3, 4",
        [
            "dict_values([3, 4])",
            "{np.int64(4), np.int64(3)}",
            "{3, 4}",
            "dict_keys([4, 3])",
            "frozenset({3, 4})",
            "[3 4]",
            "set([4, 3])",
            "deque([3, 4])",
        ],
        ["dict_values([3])", "{np.int64(3)}", "dict_values([3, 5])", "[3 3]"],
    ),
    (
        "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
        [
            "[[1 2]\n [3 4]]",
            "array([[1, 2],\n       [3, 4]])",
            "[[np.int64(1), np.int64(2)], [np.int64(3), np.int64(4)]]",
            "[[1. 2.]\n [3. 4.]]",
            "np.array([[1, 2], [3, 4]], dtype=int64)",
        ],
        ["[[1 3]\n [2 4]]", "[1 2 3 4]", "[[1 2]\n [3 5]]", "[[12] [34]]"],
    ),
    (
        "\\frac{1}{2}",
        ["Fraction(1, 2)", "Decimal('0.5')", "np.float64(0.5)", "Rational(1, 2)", "'1/2'", "0.5000000000000000"],
        ["Fraction(2, 1)", "Fraction(1, 3)", "np.float64(0.25)", "Decimal('0.05')"],
    ),
    (
        "x = 2, y = 1",
        ["{x: 2, y: 1}", "[{x: 2, y: 1}]", "{y: 1, x: 2}", "{'x': 2, 'y': 1}"],
        ["{x: 1, y: 2}", "{x: 2}", "{x: 2, y: 1, z: 0}", "{x: 2, y: -1}"],
    ),
    (
        "(2, 1)",
        ["[(2, 1)]", "{x: 2, y: 1}", "x = 2, y = 1", "y = 1, x = 2"],
        ["{x: 1, y: 2}", "[(1, 2)]", "x = 1, y = 2"],
    ),
    (
        "(-2, 2)",
        ["(-2 < x) & (x < 2)", "And(-2 < x, x < 2)", "Interval.open(-2, 2)", "(x < 2) & (-2 < x)"],
        ["(-2 <= x) & (x < 2)", "(-2 < x) | (x < 2)", "Interval(-2, 2)", "(2 < x) & (x < -2)", "(-2 < x) & (x < 3)"],
    ),
    (
        "(-\\infty, 3]",
        ["Interval(-oo, 3)", "(-oo < x) & (x <= 3)", "x <= 3"],
        ["Interval.open(-oo, 3)", "Interval(3, oo)", "x < 3", "Interval(-oo, 2)", "Interval(-3, 3)"],
    ),
    (
        "(-\\infty,-2] \\cup [2,\\infty)",
        [
            "Union(Interval(-oo, -2), Interval(2, oo))",
            "(x <= -2) | (2 <= x)",
            "((2 <= x) & (x < oo)) | ((-oo < x) & (x <= -2))",
            "x \\le -2 \\text{ or } x \\ge 2",
            "Or(x <= -2, x >= 2)",
        ],
        [
            "Union(Interval.open(-oo, -2), Interval.open(2, oo))",
            "Union(Interval(-oo, -2), Interval(3, oo))",
            "(x <= -2) & (2 <= x)",
            "x < -2 or x > 2",
            "Interval(-2, 2)",
        ],
    ),
    (
        "x^2 - 3x + 2",
        ["Poly(x**2 - 3*x + 2, x, domain='ZZ')", "Poly(x**2 - 3*x + 2, x)"],
        ["Poly(x**2 + 3*x + 2, x, domain='ZZ')"],
    ),
    (
        "|x|",
        [
            "Piecewise((x, x >= 0), (-x, True))",
            "Piecewise((-x, x < 0), (x, True))",
            "\\begin{cases} x & x \\ge 0 \\\\ -x & x < 0 \\end{cases}",
        ],
        ["Piecewise((x, x >= 0), (x, True))", "Piecewise((x, x >= 0), (-2*x, True))", "-x"],
    ),
    ("10", ["0b1010", "0xa", "0o12", "np.int64(10)"], ["0b1011", "0b10", "1010", "0x10"]),
    ("1010_2", ["0b1010", "1010"], ["0b1011", "0xa", "10"]),
    ("\\text{True}", ["True", "np.True_", "true"], ["False", "np.False_"]),
    ("x = 1", ["Eq(x, 1)", "{x: 1}", "[1]"], ["Eq(x, 2)", "{x: -1}", "[1, 1]"]),
    ("\\text{red, blue}", ["['red', 'blue']", "['blue' 'red']", "{'blue', 'red'}"], ["['red']", "['red', 'green']"]),
]

RELATIONS = [
    (
        "x \\ge 3",
        ["x \\geqslant 3", "x≥3", "x ⩾ 3", "x >= 3", "3 \\leqslant x", "[3, \\infty)"],
        ["x \\leqslant 3", "x > 3", "x ⩽ 3", "x \\ge 4"],
    ),
    (
        "(-\\infty,3) \\cup (5,\\infty)",
        ["x<3 or x>5", "x < 3 \\text{ or } x > 5", "x>5 or x<3", "x < 3 \\lor x > 5", "x < 3 ∨ x > 5"],
        ["x<3 and x>5", "x<=3 or x>5", "x<5 or x>3", "3 < x < 5", "x < 3"],
    ),
    (
        "(2, 7)",
        ["x > 2 and x < 7", "2 < x < 7", "x < 7 \\text{ and } x > 2", "7 > x > 2"],
        ["x > 2 or x < 7", "x \\ge 2 and x < 7", "x > 2 and x < 8", "x > 2"],
    ),
    ("x \\ne 2", ["x != 2", "x ≠ 2", "(-\\infty,2)\\cup(2,\\infty)", "x \\neq 2"], ["x = 2", "x \\ne 3", "2"]),
    ("(0, \\infty)", ["x > 0", "0 < x", "(0, +∞)", "0 < x < \\infty"], ["x \\ge 0", "[0, \\infty)", "x < 0"]),
]
