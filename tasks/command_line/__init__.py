"""The command `pinsage`: runs without Airflow, results, related pins and settings in words.

Arguments come in; text for a person goes out, and one line for every known error. Begin with `cli.py`.
"""
