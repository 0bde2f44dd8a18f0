                  Signature : "SLIT"    [System Locality Information Table]
               Table Length : 00000000
                   Revision : 01
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

                 Localities : 0000000000000008
               Locality   0 : 0A 18 18 18 18 18 18 18
               Locality   1 : 18 0A 18 18 18 18 18 18
               Locality   2 : 18 18 0A 18 18 18 18 18
               Locality   3 : 18 18 18 0A 18 18 18 18
               Locality   4 : 18 18 18 18 0A 18 18 18
               Locality   5 : 18 18 18 18 18 0A 18 18
               Locality   6 : 18 18 18 18 18 18 0A 18
               Locality   7 : 18 18 18 18 18 18 18 0A
