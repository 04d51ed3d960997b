"""What a sweep will train, touch, take and leave, said before it runs; measured by short trainings."""
